// Nothing that a finger is on its way to moves: an error that is put away leaves its place, and the dots of a password
// stay beside its keys.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../lib/app.mjs";
import { LANGUAGES, Page, SIZES } from "../lib/page.mjs";

let page;
before(async () => (page = await Page.start({ still: true })), { timeout: 120_000 });
after(() => page?.close());

const LIMIT = { timeout: 600_000 };
const click = (id) => page.script(`document.querySelector('[data-testid="' + arguments[0] + '"]').click()`, id);
const fill = (id, value) =>
  page.script(
    `const input = document.querySelector('[data-testid="' + arguments[0] + '"]');
     input.value = arguments[1]; input.dispatchEvent(new Event("input", { bubbles: true }));`,
    id, value,
  );
const push = (field, patch) =>
  page.script("tapfill.backend.push({ [arguments[0]]: { ...tapfill.view[arguments[0]], ...arguments[1] } })", field, patch);
const told = async () => (await page.find("error-code")).length;
/** Where on the page each control is, however far that is scrolled. */
const places = (ids) =>
  page.script(
    `return arguments[0].map((id) => {
       const { top, left } = document.querySelector('[data-testid="' + id + '"]').getBoundingClientRect();
       return [id, Math.round(top + scrollY), Math.round(left)];
     })`,
    ids,
  );

const OFFLINE = { code: "offline", params: {}, retry: "wait", money: "account", reference: null };
/** What brings the error, what puts it away, and the controls below it. */
const CASES = {
  "topup-phone": { brings: () => click("send-code"), drops: () => fill("phone-input", "1"), controls: ["send-code"] },
  "topup-code-wrong": { brings: async () => {}, drops: () => fill("code-input", "4"), controls: ["resend-code", "verify-code"] },
  "topup-amount": { brings: () => click("submit"), drops: () => click("amount-chip-50"), controls: ["pin-key-1", "pin-key-0", "submit"] },
  "activate-password": { brings: () => click("submit"), drops: () => click("pin-key-1"), controls: ["pin-key-1", "pin-key-0", "submit"] },
  "queue-password": { brings: () => click("submit"), drops: () => click("pin-key-1"), controls: ["pin-key-1", "pin-key-0", "submit"] },
  "topup-wait": { brings: () => push("transaction", { error: OFFLINE }), drops: () => push("transaction", { error: null }), controls: ["step-read", "cancel"] },
  "queue-pick": { brings: () => push("queue", { error: OFFLINE }), drops: () => push("queue", { error: null }), controls: ["list-pick", "list-sample"] },
  "queue-check": { brings: () => push("queue", { error: OFFLINE }), drops: () => push("queue", { error: null }), controls: ["list-accept", "list-pick"] },
  "queue-tap": { brings: () => push("queue", { error: OFFLINE }), drops: () => push("queue", { error: null }), controls: ["queue-save", "queue-later"] },
};

for (const [scene, { brings, drops, controls }] of Object.entries(CASES)) {
  test(`an error that is put away moves no control, ${scene}`, LIMIT, async () => {
    for (const size of Object.keys(SIZES)) {
      await page.show(scene, { size, language: "en" });
      await brings();
      await page.drawn();
      assert.equal(await told(), 1, `${size}: the error is there`);
      const before = await places(controls);
      await drops();
      await page.drawn();
      assert.equal(await told(), 0, `${size}: the error is gone`);
      const moved = (await places(controls)).filter(([, top], i) => Math.abs(top - before[i][1]) > 1);
      assert.deepEqual(moved, [], `${size}, from ${JSON.stringify(before)}`);
    }
  });
}

/** Pages without a stage for it: the error comes over their foot, so nothing moves when it comes either. */
const ERROR = { code: "internal", params: {}, retry: "no", money: "none", reference: null };
const own = { brings: () => page.script("tapfill.error = arguments[0]", ERROR), drops: () => click("error-close") };
const view = (field, value) => page.script("tapfill.backend.push({ [arguments[0]]: arguments[1] })", field, value);
const PAGES = [
  ["home", "home", own, ["purse-card", "action-topup", "action-queue"]],
  ["home", "home", { brings: () => view("trouble", ERROR), drops: () => view("trouble", null) }, ["purse-card", "action-topup", "action-queue"]],
  ["history", "history", own, ["filter-all", "export-history"]],
  ["settings", "settings", own, ["language-select", "renew-key", "run-diagnostics", "erase-device"]],
  ["settings-update", "settings", { brings: () => push("update", { error: ERROR }), drops: () => push("update", { error: null }) }, ["update-now", "language-select"]],
];

for (const [scene, name, { brings, drops }, controls] of PAGES) {
  test(`an error that comes and goes moves nothing on a page, ${scene} ${controls[0]} ${brings === own.brings ? "tried" : "told"}`, LIMIT, async () => {
    for (const size of Object.keys(SIZES)) {
      await page.show(scene, { size, language: "en" });
      await page.script("tapfill.page = arguments[0]", name);
      await page.drawn();
      const before = await places(controls);
      await brings();
      await page.drawn();
      assert.equal(await told(), 1, `${size}: the error is there`);
      assert.deepEqual(await places(controls), before, `${size}: it comes`);
      const seen = await page.script(`const box = document.querySelector('[data-testid="error"]').getBoundingClientRect(); return box.top > 0 && box.bottom <= innerHeight`);
      assert.ok(seen, `${size}: in sight without a scroll`);
      await drops();
      await page.drawn();
      assert.equal(await told(), 0, `${size}: the error is gone`);
      assert.deepEqual(await places(controls), before, `${size}: it goes`);
    }
  });
}

/** What can go wrong with an amount and its password: the page's own word on either, and the bank's with ways out of it. */
const SILENT = { code: "bank-silent", params: {}, retry: "again", money: "account", reference: null };
const WRONG = {
  password: { brings: () => click("submit"), drops: () => click("amount-chip-50") },
  amount: { brings: async () => { await fill("amount-input", "9999"); await click("submit"); }, drops: () => click("amount-chip-50") },
  bank: { brings: () => push("transaction", { error: SILENT }), drops: () => push("transaction", { error: null }) },
};

for (const [what, { brings, drops }] of Object.entries(WRONG)) {
  test(`an error that comes moves neither the amount nor the keypad, ${what}`, LIMIT, async () => {
    for (const [size, text] of [...Object.keys(SIZES).map((name) => [name, 100]), [[412, 923], 100], [[1000, 640], 100], [[1600, 1000], 100], ["phone", 150], ["small", 200]]) {
      await page.show("topup-amount", { size, text, language: "en", phone: SIZES[size]?.[0] < 1000 });
      const where = `${size}, text of ${text} %`;
      const controls = ["amount-input", "amount-chip-50", "pin-key-1", "pin-key-0", "submit", ...(await page.find("purse-card")).slice(0, 1).map(() => "purse-card")];
      const before = await places(controls);
      await page.script(`document.querySelector('[data-testid="submit"]').scrollIntoView({ block: "nearest" })`);
      await brings();
      await page.drawn();
      assert.equal(await told(), 1, `${where}: the error is there`);
      assert.deepEqual(await places(controls), before, `${where}: it comes`);
      const seen = await page.script(`
        const [error, hint] = ["error-title", "amount-hint"].map((id) => document.querySelector('[data-testid="' + id + '"]').getBoundingClientRect());
        const within = (box) => box.top >= document.querySelector("header").getBoundingClientRect().bottom - 1 && box.bottom <= innerHeight + 1;
        return within(error) || (document.activeElement.dataset.testid === "amount-input" && within(hint));`);
      assert.ok(seen, `${where}: what is wrong is in sight without a scroll`);
      await drops();
      await page.drawn();
      assert.equal(await told(), 0, `${where}: the error is gone`);
      assert.deepEqual(await places(controls), before, `${where}: it goes`);
    }
  });
}

test("an error that lies over the keypad gives way to the next digit, and comes again with the next try", LIMIT, async () => {
  await page.show("topup-amount", { size: "small", language: "en", phone: true });
  for (const puts of [() => click("pin-key-1"), () => click("error-close")]) {
    await page.script("tapfill.backend.push({ transaction: { ...tapfill.view.transaction, pinDigits: 2 } })");
    await click("submit");
    await page.drawn();
    assert.equal(await told(), 1);
    await puts();
    await until(async () => (await told()) === 0, "it is put away");
  }
});

/** Where a file was put is told in the same place, also with large text and on a phone on its side. */
const SPOTS = [...Object.keys(SIZES).map((size) => ({ size })), { size: [412, 923] }, { size: "small", text: 200 }, { size: [640, 360] }];
const FILES = [
  ["history", "export-history", ["filter-all", "export-history", "history-open"]],
  ["settings", "export-trace", ["language-select", "run-diagnostics", "show-times", "erase-device"]],
  ["queue-next", "queue-save", ["queue-save", "queue-close", "queue-later", "queue-item"]],
  ["topup-done", "save-receipt", ["receipt-amount", "copy-receipt", "save-receipt", "done"]],
  ["resume-loaded", "save-receipt", ["receipt-amount", "copy-receipt", "save-receipt", "done"]],
];

for (const [scene, saves, controls] of FILES) {
  test(`the word where a file is moves nothing when it comes and goes, ${scene}`, LIMIT, async () => {
    for (const spot of SPOTS) {
      await page.show(scene, { ...spot, phone: spot.size !== "desktop" });
      for (const language of LANGUAGES) {
        const where = `${JSON.stringify(spot)}, ${language}`;
        await page.dress({ language });
        const before = await places(controls);
        await click(saves);
        await until(async () => (await page.find("saved")).length === 1, `${where}: it is told`);
        await page.drawn();
        assert.deepEqual(await places(controls), before, `${where}: it comes`);
        const [seen, said] = await page.script(`
          const told = document.querySelector('[data-testid="saved"]');
          const box = told.getBoundingClientRect();
          const live = document.querySelector('[role="status"][aria-live="polite"]').textContent.trim();
          return [box.top > 0 && box.bottom <= innerHeight, live === told.querySelector("p").textContent.trim()];`);
        assert.ok(seen, `${where}: in sight without a scroll`);
        assert.ok(said, `${where}: read out too`);
        await click("saved-close");
        await page.drawn();
        assert.equal((await page.find("saved")).length, 0, `${where}: it is gone`);
        assert.deepEqual(await places(controls), before, `${where}: it goes`);
      }
    }
  });
}

test("what is told over the foot of a page covers nothing for good", LIMIT, async () => {
  const file = () => click("export-history");
  const sizes = [["small", 100], ["phone", 100], ["phone", 125], ["phone", 200], ["desktop", 100]];
  const image = () => click("save-receipt");
  for (const [scene, brings, [size, text]] of sizes.flatMap((size) => [["home", own.brings, size], ["history", file, size], ["topup-done", image, size], ["topup-amount", () => click("submit"), size]])) {
    await page.show(scene, { size, text, language: "en" });
    await brings();
    await until(async () => (await told()) + (await page.find("saved")).length > 0, `${scene}: it is told`);
    await page.drawn();
    const covered = await page.script(`
      const [error] = document.querySelectorAll('[data-testid="error"], [data-testid="saved"]');
      return [...document.querySelectorAll("main button")].filter((button) => {
        button.scrollIntoView({ block: "center" });
        const box = button.getBoundingClientRect();
        return error.contains(document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2));
      }).map((button) => button.dataset.testid)`);
    assert.deepEqual(covered, [], `${scene}, ${size}, text of ${text} %`);
  }
});

/** The dots are in sight, below the header, whichever key is brought to the bottom or the middle of the screen. */
const DOTS = `
  const lost = [];
  const dots = document.querySelector(".typed");
  const head = document.querySelector("header").getBoundingClientRect();
  for (const key of document.querySelectorAll('[data-testid^="pin-key-"], [data-testid="pin-delete"], [data-testid="submit"]')) {
    for (const block of ["end", "center"]) {
      key.scrollIntoView({ block });
      const [box, own] = [dots.getBoundingClientRect(), key.getBoundingClientRect()];
      if (box.top < head.bottom - 1 || box.bottom > innerHeight) lost.push(key.dataset.testid + " at the " + block + ": dots at " + box.top);
      const over = document.elementFromPoint(own.left + own.width / 2, own.top + own.height / 2);
      if (!key.contains(over)) lost.push(key.dataset.testid + " is under the dots");
    }
  }
  return lost;`;

test("the dots of a password are in sight with each of its keys, text of 200 % at 360 x 640", LIMIT, async () => {
  for (const scene of ["topup-amount", "topup-password-wrong", "activate-password", "queue-password"]) {
    for (const language of LANGUAGES) {
      await page.show(scene, { size: "small", text: 200, language });
      assert.deepEqual(await page.script(DOTS), [], `${scene}, ${language}`);
    }
  }
});
