// Each transaction from beginning to end with the keyboard alone: Tab, Enter, Escape and what is typed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Key } from "selenium-webdriver";
import { until } from "../lib/app.mjs";
import { Page } from "../lib/page.mjs";

let page;
before(async () => (page = await Page.start()), { timeout: 120_000 });
after(() => page?.close());

const LIMIT = { timeout: 240_000 };
const MOST_TABS = 60;
const focused = () => page.script("return document.activeElement?.dataset.testid ?? null");
const press = (...keys) => page.driver.actions().sendKeys(...keys).perform();
const shown = (id) => until(async () => (await page.find(id)).length > 0, `${id} is shown`, focused, 60_000);
const screen = (name) => shown(`screen-${name}`);
const state = (id, value) =>
  until(() => page.script(`return document.querySelector('[data-testid="' + arguments[0] + '"]')?.dataset.state === arguments[1]`, id, value), `${id} is ${value}`, null, 60_000);

/** Presses Tab until the focus is there, and looks that it can be seen. */
async function tabTo(id, key = Key.TAB) {
  for (let i = 0; i < MOST_TABS; i += 1) {
    if ((await focused()) === id) {
      const ring = await page.script("const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth, document.activeElement.closest('.field, .code') !== null]");
      assert.ok(ring[2] || (ring[0] !== "none" && Number.parseFloat(ring[1]) >= 2), `${id} shows that it has the focus`);
      return;
    }
    await press(key);
  }
  assert.fail(`${id} is not reached by Tab; the focus is at ${await focused()}`);
}
const go = async (id) => {
  await tabTo(id);
  await press(Key.ENTER);
};

for (const size of ["phone", "desktop"]) {
  test(`a top-up, ${size}`, LIMIT, async () => {
    await page.show("home", { size });
    await go("action-topup");
    await shown("phone-input");
    assert.equal(await focused(), "phone-input", "typing may begin at once");
    await press("13800006021", Key.ENTER);
    await shown("code-input");
    assert.equal(await focused(), "code-input");
    await press("409128", Key.ENTER);
    await shown("amount-input");
    assert.equal(await focused(), "amount-input");
    await press(Key.ENTER);
    assert.equal(await focused(), "amount-input", "an empty amount leads nowhere");
    await press("50", Key.ENTER);
    assert.equal(await focused(), "pin-pad", "digits are the password's from here");
    await press("246810", Key.ENTER);
    await shown("receipt");
    await go("done");
    await screen("home");
  });

  test(`a top-up by the keys on the screen, ${size}`, LIMIT, async () => {
    await page.show("topup-amount", { size });
    await tabTo("amount-chip-50");
    await press(Key.SPACE);
    await tabTo("pin-key-8");
    await press(Key.ENTER);
    await press(Key.ARROW_UP, Key.ARROW_UP, Key.ARROW_LEFT);
    assert.equal(await focused(), "pin-key-1", "arrow keys walk the keypad");
    await press(Key.ENTER);
    await go("pin-key-0");
    await go("submit");
    await shown("receipt");
  });

  test(`a balance, its chart as a table, and back, ${size}`, LIMIT, async () => {
    await page.show("home", { size });
    await go("action-balance");
    await shown("balance-amount");
    await go("chart-table");
    assert.equal(await page.script("return document.querySelectorAll('figure table tbody tr').length"), 6);
    await press(Key.ESCAPE);
    await screen("home");
  });

  test(`a list is paid, and closed after its first card, ${size}`, LIMIT, async () => {
    await page.show("home", { size });
    await go("action-queue");
    await go("list-pick");
    await go("list-accept");
    await shown("phone-input");
    await press("13800006021", Key.ENTER);
    await shown("code-input");
    await press("409128", Key.ENTER);
    await shown("pin-pad");
    await press("246810", Key.ENTER);
    await state("tap-state", "loaded");
    await go("queue-save");
    await shown("saved");
    await go("queue-close");
    assert.equal(await page.script("return document.querySelector('dialog').open"), true, "it asks first");
    await go("queue-close-no");
    assert.equal(await focused(), "queue-close", "the focus comes back to where it was");
    await press(Key.ENTER);
    await go("queue-close-yes");
    await shown("queue-given-back");
    await go("done");
    await screen("home");
  });

  test(`a card gets its name and its colour, ${size}`, LIMIT, async () => {
    await page.show("home", { size });
    await go("card-edit");
    await until(() => page.script("return document.querySelector('dialog')?.open === true"), "it asks");
    assert.equal(await focused(), "card-label", "one can type at once");
    await press("Mum", Key.TAB, Key.ARROW_RIGHT);
    await go("card-save");
    await until(async () => (await page.find("card-dialog")).length === 0, "it is done");
    const [colour, text] = await page.script("const card = document.querySelector('[data-testid=purse-card]'); return [card.dataset.card, card.textContent]");
    assert.equal(colour, "ocean");
    assert.match(text, /Mum/);
    assert.equal(await focused(), "card-edit", "the focus comes back to where it was");
  });

  test(`an unfinished load is finished, ${size}`, LIMIT, async () => {
    await page.show("home-pending", { size });
    await go("pending-finish");
    await state("resume-state", "loaded");
    assert.equal(await page.script("return document.querySelector('[data-testid=receipt-amount]').textContent"), "50.00");
    await go("done");
    await screen("home");
    assert.equal((await page.find("pending-load")).length, 0, "nothing waits any more");
  });

  test(`money is given back, ${size}`, LIMIT, async () => {
    await page.show("home-pending", { size });
    await go("action-refund");
    await until(() => page.script("return document.querySelector('dialog').open"), "it asks first");
    await press(Key.ESCAPE);
    assert.equal(await page.script("return document.querySelector('dialog').open"), false, "Escape is a no");
    assert.equal(await focused(), "action-refund", "the focus comes back to where it was");
    await press(Key.ENTER);
    await go("refund-yes");
    await state("resume-state", "refunded");
    await shown("receipt-amount");
    await go("done");
    await screen("home");
  });

  test(`an activation, ${size}`, LIMIT, async () => {
    await page.show("home", { size });
    await go("action-activate");
    await shown("pin-pad");
    await press("246810", Key.ENTER);
    await state("activate-state", "done");
    await go("done");
    await screen("home");
  });

  test(`a torn load: its failure, then its end, ${size}`, LIMIT, async () => {
    await page.show("topup-torn", { size });
    await go("retry");
    await screen("resume");
    await state("resume-state", "loaded");
    await shown("receipt");
  });
}

test("history: filter, a record, its export", LIMIT, async () => {
  await page.show("history");
  await go("filter-unfinished");
  await go("history-open");
  await shown("history-detail");
  await go("detail-back");
  await tabTo("filter-all");
  await press(Key.SPACE);
  await go("export-history");
  await shown("saved");
  await go("saved-close");
});

test("history in a window: the list keeps the focus, and the record beside it is gone to and left", LIMIT, async () => {
  const beside = () => page.script(`return document.querySelector('[data-testid="history-beside"]').contains(document.activeElement)`);
  await page.show("history", { size: "desktop" });
  await tabTo("history-open");
  await press(Key.TAB, Key.ENTER);
  assert.equal(await focused(), "history-open", "Tab goes from row to row");
  assert.equal(await page.script("return document.activeElement.getAttribute('aria-current')"), "true");
  assert.equal(await beside(), false);
  await press(Key.ENTER);
  assert.equal(await beside(), true, "chosen again, the record has the focus");
  await tabTo("copy-detail");
  await press(Key.ESCAPE);
  assert.equal(await page.script("return document.activeElement.getAttribute('aria-current')"), "true", "back at its row");
  await screen("history");
});

test("settings: language, checks, and a device that is not erased after all", LIMIT, async () => {
  await page.show("settings");
  await go("run-diagnostics");
  await shown("diagnostic-clock");
  await go("erase-device");
  await until(() => page.script("return document.querySelector('dialog').open"), "the dialog opens");
  await tabTo("erase-cancel");
  await press(Key.ENTER);
  assert.equal(await page.script("return document.querySelector('dialog').open"), false);
  assert.equal(await focused(), "erase-device", "the focus comes back to where it was");
  await screen("settings");
});
