// Other kinds of card in the same app: the industry that docs/industry-packages.md makes from nothing, which the app
// was not built with, and the shipped ones beside the transit purse.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { amount, balance, failure, finishTopup, firstStart, home, pay, proveCode, receipt, settings } from "./lib/journeys.mjs";
import { until } from "./lib/app.mjs";
import { scenario } from "./lib/scenario.mjs";

const FOURTH = path.resolve("tests/fixtures/industry-0004");
const CANTEEN = {
  card: path.join(FOURTH, "card.json"),
  bankConfig: path.join(FOURTH, "bank.toml"),
  aid: "F043414E5445454E",
  name: /Canteen purse|食堂钱包/,
  tail: "1042",
  money: "18.50",
  after: "38.50",
};

scenario("the tutorial's industry does a first top-up in the app as it was built", CANTEEN, async (world) => {
  const { app, rig } = world;
  const program = readFileSync(path.resolve(process.env.TAPFILL_APP ?? "target/debug/tapfill"));
  for (const word of [CANTEEN.aid, "Canteen purse"]) assert.ok(!program.includes(word), `the app was built without ${word}`);
  await firstStart(app);
  await settings(app);
  await until(async () => (await packages(app)).some((row) => CANTEEN.name.test(row) && row.includes("0004")), "the package from the bank is listed");
  await app.picture("settings-industry-0004");
  assert.equal(await balance(app), CANTEEN.money);
  assert.match(await app.text("balance-card"), CANTEEN.name);
  assert.match(await app.text("card-number"), /1042$/);
  await proveCode(world, CANTEEN.tail);
  await pay(app, "20", "246810");
  const paid = await receipt(app);
  assert.deepEqual([paid.amount, paid.balance], ["20.00", CANTEEN.after]);
  await app.picture("receipt-industry-0004");
  await app.click("done");
  assert.equal(await balance(app), CANTEEN.after);
  assert.equal((await rig.card("status")).card.balance, 3_850, "the card itself says so too");
  const received = await rig.card("record");
  assert.ok(received.some((one) => one.head.startsWith("0020")), "its PIN was shown, as its package says");
});

scenario("the tutorial's card, torn after the write, is finished by a re-top-up", CANTEEN, async (world) => {
  const { app, rig } = world;
  await firstStart(app);
  await proveCode(world, CANTEEN.tail);
  await rig.card("tear 52 after");
  await pay(app, "20", "246810");
  await failure(app, "card-lost");
  await home(app);
  assert.equal(amount(await app.text("pending-amount")), "20.00");
  await rig.card("clear");
  // Put back sooner than the service has heard that it was gone, it would be lost once more.
  await app.untilState("reader-state", "empty");
  await rig.card("insert");
  assert.equal(await finishTopup(app), "already-on-card");
  assert.equal((await receipt(app)).balance, CANTEEN.after);
  assert.equal((await rig.card("status")).card.balance, 3_850, "loaded once");
});

for (const [card, name, tail, before, after] of [
  ["campus", /Campus purse|校园钱包/, "5317", "42.30", "62.30"],
  ["cash", /Electronic cash|电子现金/, "5520", "86.50", "106.50"],
]) {
  scenario(`the ${card} card is read and topped up`, { card }, async (world) => {
    const { app, rig } = world;
    await firstStart(app);
    assert.equal(await balance(app), before);
    assert.match(await app.text("balance-card"), name);
    await proveCode(world, tail);
    await pay(app, "20", "246810");
    const paid = await receipt(app);
    assert.deepEqual([paid.amount, paid.balance], ["20.00", after]);
    await app.picture(`receipt-${card}`);
    await app.click("done");
    assert.equal(await balance(app), after);
    assert.equal((await rig.card("status")).card.balance, Number(after.replace(".", "")), "the card itself says so too");
  });
}

async function packages(app) {
  return app.driver.executeScript(`return [...document.querySelectorAll('[data-testid="package-row"]')].map((e) => e.innerText)`);
}
