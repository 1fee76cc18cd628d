// What is to be taken in at a glance is small enough for that, or large enough.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LANGUAGES, Page } from "../lib/page.mjs";

let page;
before(async () => (page = await Page.start({ still: true })), { timeout: 120_000 });
after(() => page?.close());

const LIMIT = { timeout: 600_000 };

test("a load that was torn is told without scrolling on the smallest phone, with one button that stands out", LIMIT, async () => {
  for (const scene of ["topup-torn", "topup-silent", "resume-failed", "resume-offline"]) {
    for (const language of LANGUAGES) {
      await page.show(scene, { size: "small", language, phone: true });
      const seen = await page.script(`
        const text = document.querySelector("main").innerText;
        return {
          over: document.documentElement.scrollHeight - innerHeight,
          wide: [...document.querySelectorAll("main .btn.wide")].filter((button) => button.checkVisibility()).map((button) => button.dataset.testid),
          amounts: text.split("50.00").length - 1,
        };`);
      assert.ok(seen.over <= 0, `${scene}, ${language}: ${seen.over} px too high`);
      assert.deepEqual(seen.wide.slice(0, 1), ["retry"], `${scene}, ${language}`);
      assert.equal(seen.amounts, 1, `${scene}, ${language}: the money is told once`);
      if (scene === "topup-torn") assert.deepEqual(seen.wide, ["retry"], "nothing else is as loud");
    }
  }
});

test("reader and bank are told by words in one line, on every phone", LIMIT, async () => {
  for (const size of ["small", "phone"]) {
    for (const language of LANGUAGES) {
      await page.show("home", { size, language, phone: true });
      const [head, ...words] = await page.script(`
        const width = (id, part) => document.querySelector('[data-testid="' + id + '"] ' + part).getBoundingClientRect().width;
        return [document.querySelector("header").offsetHeight, width("network-state", ".name")];`);
      assert.ok(words.every((width) => width > 20), `${size}, ${language}: ${words} px of words`);
      assert.ok(head <= 60, `${size}, ${language}: the head is ${head} px high`);
    }
  }
});

test("the account of a receipt stands beside its name, in two lines at most", LIMIT, async () => {
  for (const size of ["small", "phone", "desktop"]) {
    for (const language of LANGUAGES) {
      await page.show("topup-done", { size, language });
      const { beside, lines } = await page.script(`
        const value = document.querySelector('[data-testid="receipt-account"]');
        const [own, name] = [value.getBoundingClientRect(), value.previousElementSibling.getBoundingClientRect()];
        return { beside: Math.abs(own.top - name.top) < 2, lines: Math.round(own.height / parseFloat(getComputedStyle(value).lineHeight)) };`);
      assert.ok(beside && lines <= 2, `${size}, ${language}: beside ${beside}, ${lines} lines`);
    }
  }
});

test("the code of a receipt is large enough for the camera of another device", LIMIT, async () => {
  for (const [size, text] of [["small", 100], ["small", 200], ["desktop", 100]]) {
    await page.show("topup-done", { size, text });
    const [width, height] = await page.script(`
      const proof = document.querySelector('[data-testid="receipt-proof"]');
      proof.open = true;
      const { width, height } = proof.querySelector("svg").getBoundingClientRect();
      return [Math.round(width), Math.round(height)];`);
    assert.ok(width >= 220 && height === width, `${size}, ${text} %: ${width} x ${height}`);
  }
});
