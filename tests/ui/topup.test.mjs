import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { DEMO, amount, balance, failure, finishTopup, firstStart, home, pay, proveCode, receipt, startTopup } from "./lib/journeys.mjs";
import { scenario } from "./lib/scenario.mjs";

scenario("a top-up with the code from the inbox ends with a receipt, and no secret is left", {}, async (world) => {
  const { app, dir } = world;
  await firstStart(app);
  const code = await startTopup(world);
  const paid = await receipt(app);
  assert.equal(paid.amount, "50.00");
  assert.equal(paid.balance, "178.50");
  assert.match(paid.reference, /^TF-/);
  for (const step of ["read", "approve", "write", "confirm"]) {
    const state = await app.state(`step-${step}`);
    assert.ok(state === null || state === "done", `step ${step} is ${state}`);
  }
  await app.look("topup-receipt");
  noSecret("the page", await app.everything(), code);
  await app.click("done");
  assert.equal(await balance(app), "178.50");
  noSecret("the page", await app.everything(), code);
  for (const [name, text] of filesBelow(path.join(dir, "app"))) noSecret(name, text, code);
  noSecret("the app's output", readFileSync(path.join(dir, "app.log"), "latin1"), code);
  noSecret("the bank's output", readFileSync(path.join(dir, "bank.log"), "latin1"), code);
});

for (const [moment, state, words] of [
  ["before", "loaded", "was never on the card and is loaded again"],
  ["after", "already-on-card", "is found on the card"],
]) {
  scenario(`a top-up torn ${moment} CREDIT FOR LOAD: the money ${words}`, {}, async (world) => {
    const { app, rig } = world;
    await firstStart(app);
    await rig.card(`tear 52 ${moment}`);
    await startTopup(world);
    await failure(app, "card-lost");
    await app.look(`topup-torn-${moment}`);
    await home(app);
    assert.equal(amount(await app.text("pending-amount")), "50.00");
    await app.look(`home-pending-${moment}`);
    await rig.card("clear");
    await rig.card("insert");
    assert.equal(await finishTopup(app), state);
    assert.equal((await receipt(app)).balance, "178.50");
    assert.equal((await rig.card("status")).card.balance, 17_850, "the card itself says so too");
    await app.look(`resume-${state}`);
    await home(app);
    assert.ok(!(await app.shows("pending-load")), "nothing waits any more");
    assert.equal(await balance(app), "178.50");
    await home(app);
    assert.equal(await finishTopup(app), "none", "a second time there is nothing to finish");
  });
}

scenario("a top-up that waits for its card is not lost to who looks for the fault meanwhile", {}, async (world) => {
  const { app, rig } = world;
  await firstStart(app);
  await proveCode(world);
  await rig.card("remove");
  await app.untilState("reader-state", "empty");
  await pay(app, "50", DEMO.password);
  await app.click("check-reader");
  await app.untilScreen("settings");
  await app.get("diagnostics-verdict");
  await app.click("return");
  await app.untilScreen("topup");
  await app.click("check-reader");
  await app.get("return");
  await rig.card("insert");
  assert.equal((await receipt(app)).balance, "178.50", "nothing was typed again");
});

scenario("the app killed in mid-load says so at the next start and finishes the load", {}, async (world) => {
  await firstStart(world.app);
  await proveCode(world);
  await world.rig.card("slow 1200");
  await pay(world.app, "50", DEMO.password);
  await world.app.untilState("step-approve", "running");
  await world.app.untilState("step-write", "running");
  await world.app.kill();
  await world.rig.card("clear");
  await world.restart();
  await world.app.get("pending-load");
  assert.equal(amount(await world.app.text("pending-amount")), "50.00");
  await world.app.look("home-after-kill");
  assert.ok(["loaded", "already-on-card"].includes(await finishTopup(world.app)));
  assert.equal(await balance(world.app), "178.50");
  assert.equal((await world.rig.card("status")).card.balance, 17_850, "loaded once, not twice");
});

scenario("with the bank down a top-up stops before any money moves, and works once it is back", {}, async (world) => {
  const { app, rig } = world;
  await firstStart(app);
  await proveCode(world);
  await rig.stopBank();
  await pay(app, "50", DEMO.password);
  const code = await app.text("error-code");
  assert.ok(["offline", "bank-timeout", "bank-silent"].includes(code), code);
  await app.look("topup-bank-down");
  await rig.startBank();
  await home(app);
  if (await app.shows("pending-load")) await finishTopup(app);
  assert.equal(await balance(app), DEMO.balance, "the card is as it was");
  await startTopup(world);
  assert.equal((await receipt(app)).balance, "178.50");
});

function noSecret(where, text, code) {
  assert.ok(!text.includes(DEMO.password), `${where} holds the password`);
  assert.ok(!new RegExp(`(?<!\\d)${code}(?!\\d)`).test(text), `${where} holds the SMS code`);
  assert.ok(!text.includes(DEMO.number.replace(/^0+/, "")), `${where} holds the full card number`);
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((name) => [name, readFileSync(name, "latin1")]);
}
