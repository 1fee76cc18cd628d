/** Longer than this nobody waits without asking what for. */
const SLOW_MS = 2000;

/** True once the same thing has run for so long that the screen says what it waits for; `runs` is what runs, or nothing. To be called while a component is made. */
export function slowly(runs: () => string | boolean | null): { readonly now: boolean } {
  let slow = $state(false);
  $effect(() => {
    slow = false;
    if (!runs()) return;
    const timer = setTimeout(() => (slow = true), SLOW_MS);
    return () => clearTimeout(timer);
  });
  return { get now() { return slow; } };
}
