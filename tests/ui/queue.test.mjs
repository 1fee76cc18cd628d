import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DEMO, enterCode, firstStart, home, typePassword } from "./lib/journeys.mjs";
import { scenario } from "./lib/scenario.mjs";

/** The demo card, and one that the bank knows and that is not active yet. */
const LIST = `name;card;amount\nSeat 1;${DEMO.number};50\nSeat 2;00006217000000008826;20.50\n`;

/** The app takes this file instead of opening the system's dialog. */
async function before(_rig, dir) {
  const file = path.join(dir, "class 3b.csv");
  writeFileSync(file, "name;card;amount\n;12;x\n");
  return { TAPFILL_LIST: file };
}

scenario("a list is mended, paid once, ticked off card by card, and what is left goes back", { before }, async (world) => {
  const { app, rig, dir } = world;
  await firstStart(app);
  await rig.card("remove");
  await app.click("action-queue");
  await app.untilScreen("queue");
  await app.click("list-pick");
  await app.get("list-flaws");
  const places = [];
  for (const flaw of await app.all("list-flaw")) places.push(`${await flaw.getAttribute("data-row")} ${await flaw.getAttribute("data-column")}`);
  assert.deepEqual(places, ["2 name", "2 card", "2 amount"]);
  await app.look("queue-flaws");

  writeFileSync(path.join(dir, "class 3b.csv"), LIST);
  await app.click("list-pick");
  assert.equal(await app.text("list-total"), "70.50");
  await app.look("queue-check");
  noNumber("the page", await app.everything());
  await app.click("list-accept");
  const since = Date.now();
  await app.type("phone-input", DEMO.phone);
  await app.click("send-code");
  await enterCode(app, await rig.smsCode("", since - 1_000));
  await app.get("pin-pad");
  await typePassword(app, DEMO.password);
  await app.click("submit");
  await app.get("tap-state");

  await rig.card("insert");
  await app.untilState("tap-state", "loaded");
  assert.equal(await app.text("queue-loaded"), "1");
  assert.match(await app.text("queue-progress"), /1.*2/, "of two");
  assert.equal((await rig.card("status")).card.balance, 17_850);
  await app.look("queue-loaded");
  await rig.card("remove");
  await rig.card("insert");
  await app.untilState("tap-state", "ticked");
  assert.equal((await rig.card("status")).card.balance, 17_850, "loaded once");

  await rig.card("replace demo-inactive");
  await app.untilState("tap-state", "stopped");
  assert.equal(await app.text("error-code"), "card-not-active");
  await rig.card("remove");

  // The next day: the app was closed meanwhile.
  await app.kill();
  await world.restart();
  const again = world.app;
  await again.untilScreen("home");
  await again.click("queue-continue");
  await again.get("tap-state");
  await again.click("queue-save");
  await again.get("saved");
  await again.click("queue-close");
  await again.click("queue-close-yes");
  assert.match(await again.text("queue-given-back"), /20\.50/);
  await again.look("queue-closed");
  noNumber("the page", await again.everything());
  await again.click("done");
  await home(again);
  assert.ok(!(await again.shows("queue-entry")), "nothing waits any more");
  for (const [name, text] of filesBelow(path.join(dir, "app"))) noNumber(name, text);
});

function noNumber(where, text) {
  for (const number of [DEMO.number, "00006217000000008826"]) assert.ok(!text.includes(number.replace(/^0+/, "")), `${where} holds a card number`);
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((name) => [name, readFileSync(name, "latin1")]);
}
