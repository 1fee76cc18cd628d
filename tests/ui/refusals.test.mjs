import assert from "node:assert/strict";
import { DEMO, balance, enterCode, failure, firstStart, home, open, proveCode, receipt, startTopup, typePassword } from "./lib/journeys.mjs";
import { scenario } from "./lib/scenario.mjs";

scenario("a wrong SMS code is refused with the tries left, and the right one still works", {}, async ({ app, rig }) => {
  await firstStart(app);
  await open(app, "topup");
  const since = Date.now();
  await app.type("phone-input", DEMO.phone);
  await app.click("send-code");
  const code = await rig.smsCode(DEMO.tail, since - 1_000);
  await enterCode(app, code === "000000" ? "111111" : "000000");
  await failure(app, "code-wrong");
  await app.look("topup-code-wrong");
  await enterCode(app, code);
  await app.get("submit");
});

scenario("a wrong password moves no money, and the right one afterwards does", {}, async (world) => {
  const { app } = world;
  await firstStart(app);
  await startTopup(world, "50", "135790");
  await failure(app, "password-wrong");
  await app.look("topup-password-wrong");
  assert.equal((await world.rig.card("status")).card.balance, 12_850, "the card was not written");
  await typePassword(app, DEMO.password);
  await app.click("submit");
  assert.equal((await receipt(app)).balance, "178.50");
});

scenario("leaving after a wrong password leaves nothing behind", {}, async (world) => {
  const { app } = world;
  await firstStart(app);
  await startTopup(world, "50", "135790");
  await failure(app, "password-wrong");
  await home(app);
  assert.ok(!(await app.shows("pending-load")), "nothing left the account");
  assert.equal(await balance(app), DEMO.balance);
});

scenario("an amount beyond the limits can't be submitted", {}, async (world) => {
  const { app } = world;
  await firstStart(app);
  await proveCode(world);
  await app.type("amount-input", "99999");
  await typePassword(app, DEMO.password);
  const [submit] = await app.all("submit");
  if (await submit.isEnabled()) {
    await submit.click();
    await app.first("error-code");
  }
  assert.ok(!(await app.shows("receipt")));
  await home(app);
  assert.equal(await balance(app), DEMO.balance);
});

scenario("an inactive card is active after the activation", { card: "demo-inactive" }, async (world) => {
  const { app } = world;
  await firstStart(app);
  await open(app, "activate");
  await typePassword(app, DEMO.password);
  await app.click("submit");
  await app.untilState("activate-state", "done");
  await app.look("activate-done");
  assert.equal(await balance(app), "0.00");
});

scenario("a wrong password does not activate a card", { card: "demo-inactive" }, async ({ app }) => {
  await firstStart(app);
  await open(app, "activate");
  await typePassword(app, "135790");
  await app.click("submit");
  await failure(app, "password-wrong");
});

scenario("two quick clicks on submit load once", {}, async (world) => {
  const { app } = world;
  await firstStart(app);
  await proveCode(world);
  await app.click("amount-chip-50");
  await typePassword(app, DEMO.password);
  const [submit] = await app.all("submit");
  await app.driver.executeScript("arguments[0].click(); arguments[0].click();", submit);
  assert.equal((await receipt(app)).balance, "178.50");
  await app.click("done");
  assert.equal(await balance(app), "178.50");
});
