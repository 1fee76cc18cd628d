// axe-core in whatever page a driver shows.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What axe finds against WCAG 2.2 AA and by `more` of its tags, `within` the page or a part of it, as text; nothing when all is well. */
export async function faults(driver, more = [], within = null) {
  if (!(await driver.executeScript("return 'axe' in window"))) await driver.executeScript(AXE);
  return driver.executeAsyncScript(
    // What lies half under the bar is scrolled out from there; axe would call it too small.
    `const [tags, within, answer] = arguments;
     const bar = document.querySelector("nav");
     if (bar) bar.style.position = "static";
     const done = (found) => {
       if (bar) bar.style.position = "";
       answer(found);
     };
     axe.run(within ?? document, { runOnly: tags, resultTypes: ["violations"] })
       .then((r) => done(r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + (n.any[0]?.message ?? "")).join(" | "))))
       .catch((e) => done(["axe: " + e]));`,
    [...WCAG, ...more],
    within,
  );
}
