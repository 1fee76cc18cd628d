import assert from "node:assert/strict";
import { until } from "./lib/app.mjs";
import { DEMO, amount, balance, failure, firstStart, home, settings } from "./lib/journeys.mjs";
import { scenario } from "./lib/scenario.mjs";

scenario("a first start enrols by itself and ends at home with the card seen", {}, async ({ app }) => {
  await firstStart(app);
  await app.untilState("reader-state", "card");
  await settings(app);
  assert.match(await app.text("terminal-id"), /^\d{4} ?\d{4} ?\d{4}$/, "a terminal number");
  assert.match(await app.text("key-check-value"), /^[0-9a-f]{6}$/i, "a key check value");
});

scenario("the terminal stays the same after a restart", {}, async (world) => {
  await firstStart(world.app);
  await settings(world.app);
  const before = [await world.app.text("terminal-id"), await world.app.text("key-check-value")];
  await world.app.close();
  await world.restart();
  await settings(world.app);
  // Home and settings are there before the keystore has answered.
  await until(async () => /\d/.test(await world.app.text("terminal-id")), "the terminal's number");
  const after = [await world.app.text("terminal-id"), await world.app.text("key-check-value")];
  assert.deepEqual(after, before);
});

scenario("the balance shows amount, masked number, validity and the card's own log", {}, async ({ app }) => {
  await firstStart(app);
  assert.equal(await balance(app), DEMO.balance);
  assert.match(await app.text("card-number"), /4471$/);
  assert.match(await app.text("card-expiry"), /2034/);
  assert.equal((await app.all("log-row")).length, 6);
  assert.ok(!(await app.everything()).includes(DEMO.number), "the full card number stays out of the page");
});

scenario("the balance needs no bank", {}, async ({ app, rig }) => {
  await firstStart(app);
  await balance(app);
  await rig.stopBank();
  await home(app);
  assert.equal(await balance(app), DEMO.balance);
});

scenario("a card put on the reader and taken away is followed", { empty: true }, async ({ app, rig }) => {
  await firstStart(app);
  await app.untilState("reader-state", "empty");
  await rig.card("insert");
  await app.untilState("reader-state", "card");
  await rig.card("remove");
  await app.untilState("reader-state", "empty");
});

scenario("balance on an empty reader waits for the card and then starts by itself", { empty: true }, async ({ app, rig }) => {
  await firstStart(app);
  await app.untilState("reader-state", "empty");
  await app.click("action-balance");
  await app.untilScreen("balance");
  assert.ok(!(await app.shows("balance-amount")), "nothing to show yet");
  await rig.card("insert");
  assert.equal(amount(await app.text("balance-amount")), DEMO.balance);
});

scenario("a stopped PC/SC service is named as such and heals by itself", {}, async ({ app, rig }) => {
  await firstStart(app);
  await app.untilState("reader-state", "card");
  await rig.stopReader();
  await app.untilState("reader-state", "service-down");
  await rig.startReader();
  await app.untilState("reader-state", "card");
  assert.equal(await balance(app), DEMO.balance);
});

scenario("a PC/SC service that hangs is not taken for another program, and heals by itself", {}, async ({ app, rig }) => {
  await firstStart(app);
  await app.untilState("reader-state", "card");
  await rig.freezeReader();
  await app.click("action-balance");
  await failure(app, "service-hung");
  await app.look("balance-service-hung");
  await rig.thawReader();
  assert.equal(amount(await app.text("balance-amount")), DEMO.balance);
});

scenario("a PC/SC service that hangs is found by the checks, one step from the reader's picture", {}, async ({ app, rig }) => {
  await firstStart(app);
  await app.untilState("reader-state", "card");
  await rig.freezeReader();
  await app.untilState("reader-state", "service-hung");
  await app.click("check-reader");
  await app.untilState("diagnostic-service", "bad");
  assert.match(await app.text("diagnostic-service"), /service-hung/, "its code");
  assert.ok(await app.text("diagnostic-remedy"), "what to do about it");
  await rig.thawReader();
  await home(app);
  await app.untilState("reader-state", "card");
});

scenario("a reader that is pulled out is missed and found again", {}, async ({ app, rig }) => {
  await firstStart(app);
  await app.untilState("reader-state", "card");
  await rig.unplugReader();
  await app.untilState("reader-state", "none");
  await rig.plugReader();
  await app.untilState("reader-state", "card");
  assert.equal(await balance(app), DEMO.balance);
});

const bankDown = { before: (rig) => rig.stopBank() };

scenario("without a bank at the first start the app says so and enrols once there is one", bankDown, async ({ app, rig }) => {
  await app.untilScreen("welcome");
  await app.get("error-code");
  await app.look("welcome-bank-down");
  await rig.startBank();
  await until(async () => {
    // Whether the page asks again by itself or on a click, and in whichever moment: both are right.
    const [retry] = await app.all("retry");
    await retry?.click().catch(() => {});
    return (await app.screen()) === "home";
  }, "home once the bank is there");
});

scenario("without a keystore the app says so and keeps no key in a file", { keyring: "absent" }, async ({ app }) => {
  await app.untilScreen("welcome");
  await failure(app, "keystore-missing");
});
