// What a desktop expects: one app, links that begin nothing, and what a second start does.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { startAgain, until } from "./lib/app.mjs";
import { DEMO, amount, enterCode, failure, firstStart, home, open, receipt, settings, typePassword } from "./lib/journeys.mjs";
import { scenario } from "./lib/scenario.mjs";

/** Long enough for a page that would begin something by itself. */
const QUIET_MS = 1_500;

scenario("a second start ends at once and leaves the first as it is", {}, async ({ app, rig }) => {
  await firstStart(app);
  await settings(app);
  const terminal = await app.text("terminal-id");
  assert.equal(await startAgain(rig), 0, "it hands over and ends well");
  assert.equal(await app.screen(), "settings", "nothing was asked for, nothing changes");
  assert.equal(await app.text("terminal-id"), terminal);
});

scenario("a link asks, begins nothing, and leads to a top-up that the person pays", {}, async ({ app, rig }) => {
  await firstStart(app);
  await app.untilState("reader-state", "card");
  const since = Date.now();
  assert.equal(await startAgain(rig, "tapfill://topup?amount=50"), 0);
  await app.untilScreen("request");
  assert.equal(amount(await app.text("request-amount")), "50.00");
  await app.look("request");
  await sleep(QUIET_MS);
  assert.equal(await app.screen(), "request", "it waits for the person");
  assert.deepEqual(await rig.inbox(), [], "no code was sent");

  await app.click("request-accept");
  await app.untilScreen("topup");
  await app.type("phone-input", DEMO.phone);
  await app.click("send-code");
  await enterCode(app, await rig.smsCode(DEMO.tail, since - 1_000));
  const field = await app.get("amount-input");
  assert.equal(await field.getAttribute("value"), "50", "typed for the person");
  await typePassword(app, DEMO.password);
  await app.click("submit");
  assert.equal((await receipt(app)).amount, "50.00");
});

scenario("a link that is put away leaves no trace", {}, async ({ app, rig }) => {
  await firstStart(app);
  await startAgain(rig, "tapfill://topup");
  await app.untilScreen("request");
  assert.ok(!(await app.shows("request-amount")), "this one names no amount");
  await app.click("request-drop");
  await app.untilScreen("home");
  await open(app, "topup");
  assert.deepEqual(await rig.inbox(), []);
});

scenario("a link that asks for anything else is refused with a code", {}, async ({ app, rig }) => {
  await firstStart(app);
  for (const link of ["tapfill://topup?amount=50&phone=13800006021", "tapfill://erase", "tapfill://topup?amount=-1"]) {
    await startAgain(rig, link);
    await app.untilScreen("request");
    await failure(app, "link-bad");
    assert.ok(!(await app.shows("request-accept")), "there is nothing to go on with");
    assert.ok(!(await app.everything()).includes("13800006021"), "nothing of the link is on the page");
    await app.click("request-drop");
    await app.untilScreen("home");
  }
});

scenario("a link never interrupts", {}, async ({ app, rig }) => {
  await firstStart(app);
  await open(app, "topup");
  await app.type("phone-input", "138 0000");
  await startAgain(rig, "tapfill://topup?amount=200");
  await app.get("toast");
  assert.equal(await app.screen(), "topup");
  const field = await app.get("phone-input");
  assert.equal(await field.getAttribute("value"), "138 0000", "what was typed is still there");
  await home(app);
  await sleep(QUIET_MS);
  assert.equal(await app.screen(), "home", "it is not kept for later");
});

scenario("an app that a link starts asks as well", { args: ["tapfill://topup?amount=20.50"] }, async ({ app }) => {
  await app.untilScreen("request");
  assert.equal(amount(await app.text("request-amount")), "20.50");
  await app.click("request-accept");
  await app.untilScreen("topup");
});

scenario("the choices of the desktop are kept, and without a tray a window can't be lost", {}, async (world) => {
  await firstStart(world.app);
  await settings(world.app);
  const tray = await world.app.get("tray-switch");
  assert.equal(await tray.isEnabled(), false, "the rig has no tray");
  await world.app.click("notices-switch");
  await until(async () => !(await (await world.app.get("notices-switch")).isSelected()), "notices are off");
  await world.app.close();
  await world.restart();
  await settings(world.app);
  assert.equal(await (await world.app.get("notices-switch")).isSelected(), false, "and stay off");
});
