// The pictures of docs/screens: the screens that matter, drawn by WebKit on scripted views. With TAPFILL_GALLERY=DIR they go
// there instead of target/artefacts/gallery; docs/screens is made so.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { until } from "../lib/app.mjs";
import { Page } from "../lib/page.mjs";
import { packed, unpacked } from "../lib/png.mjs";

const DOCS = "docs/screens";
const GALLERY = path.resolve(process.env.TAPFILL_GALLERY ?? "target/artefacts/gallery");
/** All pictures together. */
const MOST_BYTES = 3_000_000;

const SCENES = [
  "welcome", "home", "home-pending", "balance", "topup-phone", "topup-code", "topup-amount", "topup-wait", "topup-running", "topup-done",
  "topup-torn", "resume-loaded", "activate-done", "queue-next", "history-pending", "settings", "settings-looked-into",
];
/** Each scene once in every language, in both themes, on a phone and in a window: what one picture lacks another has. */
const DRESSES = [
  { size: "phone", language: "zh-CN", theme: "light" },
  { size: "phone", language: "en", theme: "dark" },
];
const WINDOWS = ["home", "balance", "topup-amount", "topup-running", "queue-next", "history-pending"];
/** Met now and then: one picture each, in one dress and the other by turns. */
const RARE = ["topup-password-wrong", "resume-none", "resume-already", "refund", "request", "activate-password", "history-record"];
/** What no scene shows by itself: the scene, and what is pressed there. */
const PRESSED = { refund: ["home-pending", "action-refund"], "history-record": ["history-pending", "history-open"] };

const pictures = [
  ...SCENES.flatMap((scene) => DRESSES.map((dress) => ({ scene, ...dress }))),
  ...RARE.map((scene, i) => ({ scene, ...DRESSES[i % DRESSES.length] })),
  ...WINDOWS.flatMap((scene) => [
    { scene, size: "desktop", language: "en", theme: "light" },
    { scene, size: "desktop", language: "zh-TW", theme: "dark" },
  ]),
  { scene: "home", size: "tablet", language: "zh-CN", theme: "light" },
  { scene: "home", size: "small", language: "en", theme: "light", text: 200 },
];
const name = ({ scene, size, language, theme, text }) => [scene, size, language, theme, text].filter(Boolean).join("-");

let page;
before(async () => (page = await Page.start({ still: true })), { timeout: 120_000 });
after(() => page?.close());

test("the gallery is drawn, and small enough to travel with the source", { timeout: 900_000 }, async () => {
  mkdirSync(GALLERY, { recursive: true });
  let sum = 0;
  for (const picture of pictures) {
    const { scene, ...dress } = picture;
    const [shown, pressed] = PRESSED[scene] ?? [scene];
    await page.show(shown, { ...dress, phone: dress.size !== "desktop" });
    if (pressed) {
      await until(async () => (await page.find(pressed)).length > 0, `${pressed} is there`);
      await page.script(`document.querySelector('[data-testid="${pressed}"]').click()`);
      await page.drawn();
      await page.settled();
    }
    const png = readFileSync(await page.picture(name(picture)));
    assert.ok(png.length > 5_000, `${name(picture)} shows something`);
    const small = packed(png);
    assert.ok(unpacked(small).pixels.equals(unpacked(png).pixels), `${name(picture)} is the same picture`);
    writeFileSync(path.join(GALLERY, `${name(picture)}.png`), small);
    sum += small.length;
  }
  assert.ok(sum <= MOST_BYTES, `${sum} bytes, at most ${MOST_BYTES}`);
});

test("docs/screens has every picture of the gallery and no other, and shows each", () => {
  const shown = readFileSync(path.join(DOCS, "README.md"), "utf8");
  const there = readdirSync(DOCS).filter((file) => file.endsWith(".png"));
  const expected = pictures.map((picture) => `${name(picture)}.png`);
  assert.deepEqual(there.sort(), expected.sort(), "TAPFILL_GALLERY=docs/screens cargo xtask test --only page --filter gallery");
  for (const file of there) assert.ok(shown.includes(`(${file})`), `README.md shows ${file}`);
  const sum = there.reduce((all, file) => all + statSync(path.join(DOCS, file)).size, 0);
  assert.ok(sum <= MOST_BYTES, `${sum} bytes, at most ${MOST_BYTES}`);
});
