import assert from "node:assert/strict";
import { faults } from "./lib/axe.mjs";
import { firstStart, home, open, settings } from "./lib/journeys.mjs";
import { scenario } from "./lib/scenario.mjs";

const SIZES = { desktop: [1060, 760], phone: [390, 844] };
const LANGUAGES = ["zh-CN", "zh-TW", "en"];
const THEMES = ["light", "dark"];

const SCREENS = {
  home: (app) => home(app),
  balance: async (app) => {
    await open(app, "balance");
    await app.get("balance-amount");
  },
  topup: async (app) => {
    await open(app, "topup");
    await app.get("phone-input");
  },
  resume: async (app) => {
    await open(app, "resume");
    await app.untilState("resume-state", "none");
  },
  activate: async (app) => {
    await open(app, "activate");
    await app.get("activate-state");
  },
  history: async (app) => {
    await home(app);
    await app.click("nav-history");
    await app.untilScreen("history");
  },
  settings: (app) => settings(app),
};

for (const [size, [width, height]] of Object.entries(SIZES)) {
  scenario(`every screen in all languages and themes, ${size}`, { limitMs: 450_000 }, async ({ app }) => {
    await firstStart(app);
    await app.size(width, height);
    const texts = new Map();
    for (const language of LANGUAGES) {
      for (const theme of THEMES) {
        await settings(app);
        await app.choose("language-select", language);
        await app.choose("theme-select", theme);
        await app.driver.wait(async () => (await lang(app)) === language, 5_000, `the page is in ${language}`);
        for (const [name, show] of Object.entries(SCREENS)) {
          await show(app);
          await app.picture(`${name}-${language}-${theme}-${size}`);
          await fits(app, `${name} in ${language}`);
          await accessible(app, `${name}, ${language}, ${theme}, ${size}`);
          texts.set(`${name} ${language}`, await app.driver.executeScript("return document.body.innerText"));
        }
      }
    }
    for (const name of Object.keys(SCREENS)) {
      assert.match(texts.get(`${name} zh-CN`), /[\u4e00-\u9fff]/, `${name} has Chinese text`);
      for (const other of ["zh-TW", "en"]) {
        assert.notEqual(texts.get(`${name} zh-CN`), texts.get(`${name} ${other}`), `${name} is translated into ${other}`);
      }
    }
  });
}

scenario("language and theme are remembered", {}, async (world) => {
  await firstStart(world.app);
  await settings(world.app);
  await world.app.choose("language-select", "en");
  await world.app.choose("theme-select", "dark");
  await world.app.driver.wait(async () => (await lang(world.app)) === "en", 5_000);
  // Drawn is what the core has taken; a window closed before that has changed nothing.
  await world.app.driver.wait(async () => (await theme(world.app)) === "dark", 5_000);
  await world.app.close();
  await world.restart();
  await firstStart(world.app);
  assert.equal(await lang(world.app), "en");
  const background = await world.app.driver.executeScript("return getComputedStyle(document.body).backgroundColor");
  const [red, green, blue] = background.match(/\d+/g).map(Number);
  assert.ok(red + green + blue < 3 * 100, `a dark background, not ${background}`);
});

const theme = (app) => app.driver.executeScript("return document.documentElement.dataset.theme");
const lang = (app) => app.driver.executeScript("return document.documentElement.lang");

async function fits(app, where) {
  const [content, view] = await app.driver.executeScript(
    "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]",
  );
  assert.ok(content <= view, `${where} is ${content} wide on ${view}`);
}

async function accessible(app, where) {
  assert.deepEqual(await faults(app.driver), [], where);
}
