// Whoever has told the system that nothing should move sees nothing move.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Page } from "../lib/page.mjs";

const MOVING = ["home", "home-pending", "enrolling", "balance-wait", "topup-code", "topup-wait", "topup-poor", "topup-approve", "topup-running", "topup-confirm", "topup-done", "topup-torn"];
const endless = "return document.getAnimations().filter((a) => a.playState === 'running' && a.effect.getComputedTiming().iterations === Infinity).map((a) => a.animationName + ' of ' + a.effect.target.className)";

async function endlessIn(still, scenes = MOVING) {
  const page = await Page.start({ still });
  try {
    const found = {};
    assert.equal(await page.script("return matchMedia('(prefers-reduced-motion: reduce)').matches"), still, "the system's word reaches the page");
    for (const scene of scenes) {
      await page.show(scene);
      found[scene] = await page.script(endless);
    }
    return found;
  } finally {
    await page.close();
  }
}

test("nothing moves for those who ask for that", { timeout: 600_000 }, async () => {
  assert.deepEqual(await endlessIn(true), Object.fromEntries(MOVING.map((scene) => [scene, []])));
});

/** What lies there with nothing going on: a window that is left open must not keep a processor busy. */
const AT_REST = ["home", "home-first", "home-pending", "home-locked", "home-list", "topup-done", "topup-torn", "resume-none", "activate-done", "history", "history-pending"];

test("what waits for nothing comes to rest", { timeout: 600_000 }, async () => {
  assert.deepEqual(await endlessIn(false, AT_REST), Object.fromEntries(AT_REST.map((scene) => [scene, []])));
});

test("pictures move for everybody else", { timeout: 600_000 }, async () => {
  const found = await endlessIn(false);
  for (const scene of ["topup-wait", "topup-poor", "topup-approve", "topup-running", "enrolling"]) {
    assert.notDeepEqual(found[scene], [], `${scene} moves: looking for what stands still means something`);
  }
});
