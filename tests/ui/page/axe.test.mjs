// Every scene of the page, and every component of the style page, in each language and theme, under axe.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../lib/app.mjs";
import { LANGUAGES, Page, THEMES } from "../lib/page.mjs";

let page;
before(async () => (page = await Page.start()), { timeout: 120_000 });
after(() => page?.close());

const ALL = LANGUAGES.flatMap((language) => THEMES.map((theme) => ({ language, theme })));
/** One language for each theme. */
const FEW = [{ language: "en", theme: "light" }, { language: "zh-TW", theme: "dark" }];
/** Small in every language, beside a reader; a window is the same parts in other places, and a tablet has NFC and no reader. */
const LOOKS = [
  { size: "phone", dresses: ALL },
  { size: "tablet", phone: true, dresses: FEW },
  { size: "desktop", dresses: ALL.filter(({ language }) => language === "zh-CN") },
];

for (const { size, phone, dresses } of LOOKS) {
  test(`axe finds nothing in any scene, ${size}`, { timeout: 2_400_000 }, async (t) => {
    const scenes = await page.scenes();
    assert.ok(scenes.length > 50, "there are scenes to look at");
    const looked = async ({ language, theme }, how = "") => assert.deepEqual(await page.faults(), [], `${language}, ${theme}${how}`);
    const [first, ...others] = dresses;
    for (const scene of scenes) {
      await t.test(scene, async () => {
        await page.show(scene, { size, phone, ...first });
        await looked(first);
        for (const dress of others) {
          await page.dress(dress);
          await looked(dress);
        }
        if ((await page.unfold()) === 0) return;
        for (const dress of FEW) {
          await page.dress(dress);
          await looked(dress, ", unfolded");
        }
      });
    }
  });
}

test("axe finds nothing in any component", { timeout: 1_800_000 }, async (t) => {
  for (const theme of THEMES) {
    for (const language of LANGUAGES) {
      await page.show("style", { size: "desktop", theme, language });
      const kits = await page.script("return document.querySelectorAll('.kit').length");
      assert.equal(kits, 6, "tokens, controls, money, stage, lists, failures");
      for (let kit = 1; kit <= kits; kit += 1) {
        await t.test(`part ${kit}, ${language}, ${theme}`, async () => {
          assert.deepEqual(await page.faults({ best: false, within: `.kit:nth-of-type(${kit})` }), []);
        });
      }
    }
  }
});

for (const [what, scene, opens] of [["closes a list", "queue-torn", "queue-close"], ["erases", "settings", "erase-device"], ["gives money back", "home-pending", "action-refund"], ["names a card", "home", "card-edit"]]) {
  test(`axe finds nothing in the dialog that ${what}`, { timeout: 300_000 }, async () => {
    await page.show(scene);
    await page.script(`document.querySelector('[data-testid="${opens}"]').click()`);
    await until(() => page.script("return document.querySelectorAll('dialog[open]').length === 1"), "it is open");
    for (const theme of THEMES) {
      for (const language of LANGUAGES) {
        await page.dress({ theme, language });
        assert.deepEqual(await page.faults(), [], `${language}, ${theme}`);
      }
    }
  });
}
