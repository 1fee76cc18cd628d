// Text of twice its size on the smallest phone: all of it is there, none of it is cut, nothing is wider than the screen.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CUT } from "../lib/fits.mjs";
import { LANGUAGES, Page } from "../lib/page.mjs";

let page;
before(async () => (page = await Page.start({ still: true })), { timeout: 120_000 });
after(() => page?.close());

for (const language of LANGUAGES) {
  test(`text of 200 % at 360 x 640 loses nothing, ${language}`, { timeout: 1_200_000 }, async (t) => {
    for (const scene of await page.scenes()) {
      await t.test(scene, async () => {
        await page.show(scene, { language, size: "small" });
        const plain = await page.script(SEEN);
        await page.dress({ text: 200 });
        const large = await page.script(SEEN);
        assert.deepEqual(plain.filter((text) => !large.includes(text)), [], "texts that are lost");
        assert.deepEqual(await page.script(CUT), [], "what is cut");
      });
    }
  });
}

/** The texts that can be seen, clocks and counters aside. The names of the other stages of a top-up give way to the present one. */
const SEEN = `
  const texts = [];
  const walker = document.createTreeWalker(document.querySelector("#app"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent.replace(/[0-9.:]+/g, "#").trim();
    if (!text || node.parentElement.closest('.hush, .unsaid, style, [aria-hidden="true"]')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()];
    if (boxes.some((box) => box.width > 1 && box.height > 1)) texts.push(text);
  }
  return texts;`;
