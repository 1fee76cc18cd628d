// Every scene at the sizes of phones and tablets, upright and on their side, with what their bars and corners cover and
// with their keyboards open.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { UNFIT } from "../lib/fits.mjs";
import { Page } from "../lib/page.mjs";

/** Name, width, height, what the system covers, height of its keyboard: CSS pixels, by the makers' own tables. */
const DEVICES = [
  ["small Android phone", 360, 640, { top: 24, bottom: 48 }, 260],
  ["small Android phone on its side", 640, 360, { top: 24, right: 48 }, 0],
  ["iPhone SE", 375, 667, { top: 20 }, 260],
  ["iPhone 16", 393, 852, { top: 59, bottom: 34 }, 336],
  ["iPhone 16 on its side", 852, 393, { left: 59, right: 59, bottom: 21 }, 0],
  ["Pixel 9", 412, 923, { top: 52, bottom: 24 }, 300],
  ["iPhone 16 Pro Max", 440, 956, { top: 62, bottom: 34 }, 346],
  ["iPhone 16 Pro Max on its side", 956, 440, { left: 62, right: 62, bottom: 21 }, 0],
  ["unfolded phone", 673, 841, { top: 32, bottom: 24 }, 320],
  ["iPad mini", 744, 1133, { top: 24, bottom: 20 }, 320],
  ["Android tablet", 800, 1280, { top: 24, bottom: 48 }, 340],
  ["iPad on its side", 1180, 820, { top: 24, bottom: 20 }, 400],
  ["iPad Pro 13", 1024, 1366, { top: 24, bottom: 20 }, 400],
];

let page;
before(async () => (page = await Page.start({ still: true })), { timeout: 120_000 });
after(() => page?.close());

test("every scene fits every phone and tablet", { timeout: 2_400_000 }, async (t) => {
  const scenes = await page.scenes();
  for (const scene of scenes) {
    await t.test(scene, async () => {
      await page.show(scene, { language: "en", phone: true });
      assert.deepEqual(await page.later(UNFIT, DEVICES), []);
    });
  }
});

test("a phone is told of NFC, not of readers and services", { timeout: 300_000 }, async () => {
  for (const [scene, says] of [["balance-service-down", "Switch on NFC"], ["balance-missing", "This phone has no NFC"]]) {
    await page.show(scene, { language: "en", phone: true });
    const text = await page.script("return document.body.innerText");
    assert.ok(text.includes(says), `${scene}: ${text}`);
    assert.doesNotMatch(text, /pcscd|USB/, scene);
  }
});
