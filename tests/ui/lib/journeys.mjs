// What a person does, in the ids that docs/ui-testing.md fixes.
import assert from "node:assert/strict";
import { until } from "./app.mjs";

export const DEMO = {
  phone: "13800006021",
  password: "246810",
  tail: "4471",
  number: "00006217000000004471",
  balance: "128.50",
};

/** A first start enrols by itself and ends on the home screen. */
export async function firstStart(app) {
  await app.untilScreen("home");
}

export async function home(app) {
  if ((await app.screen()) !== "home") await app.click("nav-home");
  await app.untilScreen("home");
}

export async function open(app, action) {
  await home(app);
  await app.click(`action-${action}`);
  await app.untilScreen(action);
}

export async function settings(app) {
  await home(app);
  await app.click("nav-settings");
  await app.untilScreen("settings");
}

/** The balance as the balance screen shows it, without the currency sign. */
export async function balance(app) {
  await open(app, "balance");
  return amount(await app.text("balance-amount"));
}

export function amount(text) {
  const found = text.replaceAll(",", "").match(/\d+\.\d\d/);
  assert.ok(found, `an amount in "${text}"`);
  return found[0];
}

export async function typePassword(app, password) {
  for (const digit of password) await app.click(`pin-key-${digit}`);
}

/** Top-up up to the amount: phone, SMS code from the inbox. Gives the code. */
export async function proveCode({ app, rig }, tail = DEMO.tail) {
  await open(app, "topup");
  const since = Date.now();
  await app.type("phone-input", DEMO.phone);
  await app.click("send-code");
  const code = await rig.smsCode(tail, since - 1_000);
  await enterCode(app, code);
  await app.get("submit");
  return code;
}

export async function enterCode(app, code) {
  await app.type("code-input", code);
  await app.click("verify-code");
}

/** From home to the start of the card part. Gives the code that was used. */
export async function startTopup(world, yuan = "50", password = DEMO.password) {
  const code = await proveCode(world);
  await pay(world.app, yuan, password);
  return code;
}

export async function pay(app, yuan, password) {
  if (await app.shows(`amount-chip-${yuan}`)) await app.click(`amount-chip-${yuan}`);
  else await app.type("amount-input", yuan);
  await typePassword(app, password);
  await app.click("submit");
}

export async function receipt(app) {
  await app.get("receipt");
  return {
    amount: amount(await app.text("receipt-amount")),
    balance: amount(await app.text("receipt-balance")),
    reference: await app.text("receipt-reference"),
  };
}

/** The re-top-up screen's answer. */
export async function finishTopup(app) {
  await open(app, "resume");
  return app.untilState("resume-state", "none", "already-on-card", "loaded", "failed");
}

export async function failure(app, code) {
  await until(
    async () => (await app.shows("error-code")) && (await app.text("error-code")) === code,
    `the error ${code}`,
    () => app.situation(),
  );
  for (const part of ["error-title", "error-money", "error-action"]) {
    assert.ok((await app.text(part)).length > 0, `${code} has words for ${part}`);
  }
}
