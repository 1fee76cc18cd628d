// The list of a select is the page's own where the system's would be light on a dark page; by the keyboard it is a select.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Key } from "selenium-webdriver";
import { Page } from "../lib/page.mjs";

let page;
before(async () => (page = await Page.start({ still: true })), { timeout: 120_000 });
after(() => page?.close());

const LIMIT = { timeout: 600_000 };
const press = async (...keys) => {
  await page.driver.actions().sendKeys(...keys).perform();
  await page.drawn();
};
const focused = () => page.script("return document.activeElement?.dataset.testid ?? null");
const at = (id) => page.script(`document.querySelector('[data-testid="' + arguments[0] + '"]').focus()`, id);
const open = async (id) => (await page.find(`${id}-list`)).length === 1;
const settings = () => page.script("return tapfill.view.settings");

test("the list of a dark page is dark, and that of a light one light", LIMIT, async () => {
  for (const [theme, surface] of [["dark", "rgb(21, 32, 27)"], ["light", "rgb(255, 255, 255)"]]) {
    await page.show("settings", { theme });
    await at("language-select");
    await press(Key.ENTER);
    const [list] = await page.find("language-select-list");
    assert.equal(await list.getCssValue("background-color"), surface, theme);
    assert.deepEqual(await page.faults(), [], theme);
  }
});

test("the keyboard opens the list, walks it, chooses and goes back", LIMIT, async () => {
  await page.show("settings");
  await at("language-select");
  await press(Key.ARROW_DOWN);
  assert.ok(await open("language-select"));
  assert.equal(await focused(), "language-select-list");
  await press(Key.ESCAPE);
  assert.ok(!(await open("language-select")));
  assert.deepEqual([await focused(), (await settings()).language], ["language-select", "zh-CN"], "nothing was chosen");
  await press(Key.SPACE);
  await press("e");
  await press(Key.ENTER);
  assert.deepEqual([await focused(), (await settings()).language], ["language-select", "en"], "a letter finds its entry");
  await press(Key.ENTER);
  await press(Key.HOME, Key.ENTER);
  assert.equal((await settings()).language, "system");
  await press(Key.ENTER);
  await press(Key.TAB);
  assert.ok(!(await open("language-select")), "whoever goes on closes it");
});

test("a finger opens the list and chooses, and a list that fits nowhere below opens above", LIMIT, async () => {
  await page.show("settings", { size: "desktop" });
  const [select] = await page.find("theme-select");
  await page.driver.actions().move({ origin: select }).click().perform();
  await page.drawn();
  assert.ok(await open("theme-select"));
  const [dark] = await page.driver.findElements({ css: '[data-testid="theme-select-list"] [data-value="dark"]' });
  await page.driver.actions().move({ origin: dark }).click().perform();
  await page.drawn();
  assert.equal((await settings()).theme, "dark");
  assert.ok(!(await open("theme-select")));
  await page.show("settings", { size: "small", text: 200 });
  const inside = await page.later(`
    const done = arguments[0];
    const select = document.querySelector('[data-testid="theme-select"]');
    select.scrollIntoView({ block: "end" });
    setTimeout(() => {
      select.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
      setTimeout(() => {
        const box = document.querySelector('[data-testid="theme-select-list"]').getBoundingClientRect();
        done([box.top >= 0, box.bottom <= innerHeight, box.left >= 0, box.right <= innerWidth]);
      }, 100);
    }, 100);`);
  assert.deepEqual(inside, [true, true, true, true], "top, bottom, left, right");
});

test("a driver chooses an option of the select itself", LIMIT, async () => {
  await page.show("settings");
  const [select] = await page.find("theme-select");
  await (await select.findElement({ css: 'option[value="dark"]' })).click();
  await page.drawn();
  assert.equal((await settings()).theme, "dark");
  assert.ok(!(await open("theme-select")));
});
