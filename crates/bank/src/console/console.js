// Figures that change by themselves. Without this script the page is whole; it is only as old as it was loaded.
const EVERY_MS = 5000;
for (const part of document.querySelectorAll("[data-live]")) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(part.dataset.live, { redirect: "error", headers: { Accept: "text/html" } });
      if (answer.ok) part.innerHTML = await answer.text();
    } catch {
      // The session is over or the bank is away: the figures stay, with the time that they are of.
    }
  }, EVERY_MS);
}
