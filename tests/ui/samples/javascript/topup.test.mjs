import assert from "node:assert/strict";
import { test } from "node:test";
import { PASSWORD, PHONE, Tapfill } from "./tapfill.mjs";

const LIMIT = { timeout: 180_000 };

/** A test with an app, a bank, a reader and a card of its own. */
const scenario = (name, story) =>
  test(name, LIMIT, async () => {
    const app = await Tapfill.start();
    try {
      await app.text("action-balance"); // a first start enrols by itself and ends at home
      await story(app);
    } finally {
      await app.stop();
    }
  });

async function topUp(app, yuan) {
  await app.click("action-topup");
  const since = Date.now() - 1000;
  await app.type("phone-input", PHONE);
  await app.click("send-code");
  await app.type("code-input", await app.smsCode(since));
  await app.click("verify-code");
  await app.click(`amount-chip-${yuan}`);
  for (const digit of PASSWORD) await app.click(`pin-key-${digit}`);
  await app.click("submit");
}

scenario("a card tells its balance", async (app) => {
  await app.click("action-balance");
  assert.equal(await app.text("balance-amount"), "128.50");
  assert.match(await app.text("card-number"), /4471$/);
});

scenario("fifty yuan go onto the card", async (app) => {
  await topUp(app, 50);
  assert.equal(await app.text("receipt-balance"), "178.50");
  assert.match(await app.text("receipt-reference"), /^TF-/);
});

scenario("a card pulled before it is written gets its money later", async (app) => {
  await app.card("tear 52 before");
  await topUp(app, 50);
  assert.equal(await app.text("error-code"), "card-lost");
  assert.match(await app.text("error-money"), /50\.00/, "the person is told where the money is");
  await app.click("nav-home");
  assert.equal(await app.text("pending-amount"), "50.00");
  await app.card("clear");
  // As a person does: the card goes back once the app has seen that it is gone.
  await app.state("reader-state", "empty");
  await app.card("insert");
  await app.state("reader-state", "card");
  await app.click("action-resume");
  assert.equal(await app.state("resume-state", "loaded", "failed"), "loaded");
  assert.equal(await app.text("receipt-balance"), "178.50");
});

scenario("without the bank nothing is charged", async (app) => {
  await app.tell("bank stop");
  await app.click("action-topup");
  await app.type("phone-input", PHONE);
  await app.click("send-code");
  assert.ok(["offline", "bank-timeout"].includes(await app.text("error-code")));
  await app.tell("bank start");
});
