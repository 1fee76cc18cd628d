/** A window that is not shown draws nothing: what waits for a picture does not wait longer than this. */
const UNSEEN_MS = 500;

/** Runs `work` once, after the next picture is on its way to the display. */
export function afterDrawing(work: () => void): void {
  let done = false;
  const once = (): void => {
    if (!done) work();
    done = true;
  };
  setTimeout(once, UNSEEN_MS);
  requestAnimationFrame(() => setTimeout(once));
}
