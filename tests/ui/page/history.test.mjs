// The history in a window: the list, and the record chosen from it beside it; on phones and tablets one after the other.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CUT } from "../lib/fits.mjs";
import { LANGUAGES, Page, THEMES } from "../lib/page.mjs";

let page;
before(async () => (page = await Page.start({ still: true })), { timeout: 120_000 });
after(() => page?.close());

const LIMIT = { timeout: 600_000 };
const RECORDS = 7;
const WINDOWS = [[1000, 700], [1280, 900]];
const choose = (index) => page.script(`document.querySelectorAll('[data-testid="history-open"]')[arguments[0]].click()`, index);
/** Of each row: left, top on the page, width, height. */
const rows = () =>
  page.script(`return [...document.querySelectorAll('[data-testid="history-row"]')].map((row) => {
    const { left, top, width, height } = row.getBoundingClientRect();
    return [left, top + scrollY, width, height].map(Math.round);
  })`);
const beside = () =>
  page.script(`
    const box = document.querySelector('[data-testid="history-beside"]').getBoundingClientRect();
    const rows = [...document.querySelectorAll('[data-testid="history-open"]')];
    return {
      left: Math.round(box.left), top: Math.round(box.top), bottom: Math.round(box.bottom), height: innerHeight,
      current: rows.findIndex((row) => row.getAttribute("aria-current") === "true"),
      told: [...document.querySelectorAll("main [role=status]")].at(-1).textContent,
    };`);

test("in a window each record comes beside the list, which stays where it is", LIMIT, async () => {
  for (const size of WINDOWS) {
    await page.show("history", { size, language: "en" });
    const list = await rows();
    assert.equal(list.length, RECORDS);
    const said = new Set();
    for (let index = 0; index < RECORDS; index += 1) {
      await choose(index);
      await page.drawn();
      const found = await beside();
      assert.deepEqual(await rows(), list, `${size}: record ${index} moves no row`);
      assert.equal(found.current, index, `${size}: the row says that it is the one`);
      const [left, , width] = list[index];
      assert.ok(found.left >= left + width, `${size}: ${found.left} is beside the list`);
      assert.match(found.told, /^Beside the list: /, "a screen reader is told where something changed");
      said.add(found.told);
      assert.deepEqual(await page.script(CUT), [], `${size}: record ${index}`);
    }
    assert.ok(said.size > RECORDS / 2, `each is told by its own words: ${[...said]}`);
  }
});

test("a record chosen far down the list is in sight, and the list stays scrolled", LIMIT, async () => {
  await page.show("history-pending", { size: [1000, 500], language: "en" });
  await page.script("scrollTo(0, document.documentElement.scrollHeight)");
  const scrolled = await page.script("return scrollY");
  assert.ok(scrolled > 100, `the list is longer than the window: ${scrolled}`);
  await choose(RECORDS - 1);
  await page.drawn();
  assert.equal(await page.script("return scrollY"), scrolled);
  const { top, bottom, height } = await beside();
  assert.ok(top >= 0 && bottom <= height, `from ${top} to ${bottom} of ${height}`);
});

test("a filter puts a record that is listed beside the list", LIMIT, async () => {
  await page.show("history", { size: "desktop" });
  await page.script(`document.querySelector('[data-testid="filter-unfinished"]').click()`);
  await page.drawn();
  assert.equal((await beside()).current, 0, "the filter leaves another one beside the list");
});

test("on phones, tablets and with large text a record takes the place of the list", LIMIT, async () => {
  const spots = [["phone", 100], ["tablet", 100], [[1024, 1230], 100], ["desktop", 200], [[956, 440], 100]];
  for (const [size, text] of spots) {
    await page.show("history", { size, text });
    assert.equal((await page.find("history-beside")).length, 0, `${size}`);
    await choose(1);
    await page.drawn();
    assert.equal((await page.find("history-row")).length, 0, `${size}: the record alone`);
    await page.script(`document.querySelector('[data-testid="detail-back"]').click()`);
    await page.drawn();
    assert.equal((await page.find("history-row")).length, RECORDS, `${size}: back at the list`);
  }
});

for (const size of ["desktop", "phone"]) {
  test(`axe finds nothing in any record, ${size}`, { timeout: 1_200_000 }, async () => {
    let unfolded = 0;
    for (let index = 0; index < RECORDS; index += 1) {
      await page.show("history-pending", { size, language: LANGUAGES[index % LANGUAGES.length] });
      await choose(index);
      await page.drawn();
      unfolded += await page.unfold();
      for (const theme of THEMES) {
        await page.dress({ theme });
        assert.deepEqual(await page.faults(), [], `record ${index}, ${theme}`);
      }
    }
    assert.ok(unfolded > 0, "the codes of receipts were looked at too");
  });
}
