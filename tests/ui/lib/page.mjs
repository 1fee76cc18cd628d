// The page alone, on its scripted views (`vite build --mode fake`), in WebKit's small browser: the engine that the
// window has, without everything behind it. A frame gives it any size, also one that no desktop window can have.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Builder, By } from "selenium-webdriver";
import { answers, freePort, until } from "./app.mjs";
import { faults } from "./axe.mjs";
import { Display } from "./display.mjs";

const BUILT = path.resolve(process.env.TAPFILL_PAGE ?? "target/ui-fake");
const PICTURES = path.resolve(process.env.TAPFILL_SCREENS ?? "target/artefacts/screens", "../page");
const BROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
const KINDS = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const HOST = `<!doctype html><html lang="en"><title>host</title><style>body{margin:0}iframe{border:0;display:block}</style><iframe title="page"></iframe></html>`;

/** Room for every frame. */
const WINDOW = [1300, 1240];

/** A busy machine may take long to load a page, and to draw what moves on it. */
const LOAD_MS = 60_000;

export const LANGUAGES = ["zh-CN", "zh-TW", "en"];
export const SIZES = { small: [360, 640], phone: [390, 844], tablet: [820, 1180], desktop: [1280, 900] };
export const THEMES = ["light", "dark"];

export class Page {
  #display;
  #driverProcess;
  #server;
  #origin;
  #config;
  #shown = 0;
  driver;

  /** `still`: for a person who has told the system that nothing should move. */
  static async start({ still = false } = {}) {
    const page = new Page();
    const config = mkdtempSync(path.join(tmpdir(), "tapfill-page-"));
    page.#config = config;
    mkdirSync(path.join(config, "gtk-3.0"));
    writeFileSync(path.join(config, "gtk-3.0/settings.ini"), `[Settings]\ngtk-enable-animations=${still ? 0 : 1}\n`);
    page.#server = http.createServer(serve);
    await new Promise((resolve) => page.#server.listen(0, "127.0.0.1", resolve));
    page.#origin = `http://127.0.0.1:${page.#server.address().port}`;
    page.#display = await Display.start(WINDOW);
    const port = await freePort();
    page.#driverProcess = spawn("WebKitWebDriver", [`--port=${port}`, "--host=127.0.0.1"], {
      env: { ...process.env, DISPLAY: page.#display.name, XDG_CONFIG_HOME: config },
      stdio: "ignore",
    });
    try {
      await until(() => answers(port), "WebKitWebDriver answers");
      page.driver = await new Builder()
        .disableEnvironmentOverrides()
        .usingServer(`http://127.0.0.1:${port}`)
        .withCapabilities({
          browserName: "MiniBrowser",
          "webkitgtk:browserOptions": { binary: BROWSER, args: ["--automation"] },
        })
        .build();
      await page.driver.manage().setTimeouts({ script: LOAD_MS * 3 });
      await page.driver.manage().window().setRect({ width: WINDOW[0], height: WINDOW[1] });
      await page.driver.get(`${page.#origin}/host`);
      return page;
    } catch (failure) {
      await page.close();
      throw failure;
    }
  }

  /** Draws one scene: `size` is a name of SIZES or [width, height], `text` the text size in per cent, `phone`: as on one. */
  async show(scene, { language = "zh-CN", theme = "light", text = 100, size = "phone", phone = false } = {}) {
    const [width, height] = SIZES[size] ?? size;
    this.#shown += 1; // the same scene once more has another address, or the one that is leaving would count as drawn
    const query = new URLSearchParams({ fake: scene, lang: language, theme, text, ...(phone && { phone: "yes" }), shown: this.#shown });
    await this.driver.switchTo().defaultContent();
    await this.driver.executeScript(
      `const [frame, width, height, address] = [document.querySelector("iframe"), ...arguments];
       frame.style.width = width + "px"; frame.style.height = height + "px"; frame.src = address;`,
      width, height, `${this.#origin}/index.html?${query}`,
    );
    await this.driver.switchTo().frame(0);
    await until(() => this.#ready(query.toString()), `${scene} is drawn`, null, LOAD_MS);
    await this.settled();
  }

  #ready(query) {
    return this.driver
      .executeScript(
        `return location.search === "?" + arguments[0] && document.readyState === "complete" &&
           document.documentElement.dataset.ready === "yes"`,
        query,
      )
      .catch(() => false);
  }

  /** The names of all scenes. */
  async scenes() {
    await this.show("home");
    return this.script("return window.scenes");
  }

  /** Another language, theme or text size on the same screen. */
  async dress({ language, theme, text }) {
    const patch = Object.fromEntries(Object.entries({ language, theme, textSize: text }).filter(([, value]) => value));
    await this.script("tapfill.backend.push({ settings: { ...tapfill.view.settings, ...arguments[0] } })", patch);
    await this.drawn();
    await this.settled();
  }

  /** Two frames of the page's own: what has a transition has begun it, however busy the machine is. */
  async drawn() {
    await this.driver.executeAsyncScript("const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))), 60)");
  }

  /** Until nothing moves that soon ends by itself: half-faded ink has half the contrast. What comes to rest much later moves as if for ever. */
  async settled() {
    const moving = () =>
      this.script("return document.getAnimations().filter((a) => a.playState === 'running' && a.effect.getComputedTiming().endTime < 5000).length");
    await until(async () => (await moving()) === 0, "movements have ended", null, LOAD_MS);
  }

  script(text, ...values) {
    return this.driver.executeScript(text, ...values);
  }

  /** The same with a script that calls its last argument when it is done. */
  later(text, ...values) {
    return this.driver.executeAsyncScript(text, ...values);
  }

  find(id) {
    return this.driver.findElements(By.css(`[data-testid="${id}"]`));
  }

  /** Opens what is folded up, of which axe sees nothing; how many those were. */
  unfold() {
    return this.script("const folded = [...document.querySelectorAll('details:not([open])')]; for (const one of folded) one.open = true; return folded.length");
  }

  /** What axe finds, its own rules of good practice included where `best`. */
  async faults({ best = true, within = null } = {}) {
    await this.script("for (const one of document.getAnimations()) if (one.effect.getComputedTiming().iterations !== Infinity) one.finish()");
    return faults(this.driver, best ? ["best-practice"] : [], within);
  }

  async picture(name) {
    mkdirSync(PICTURES, { recursive: true });
    await this.script("return document.fonts.ready.then(() => true)");
    await sleep(200); // movements on the page end within this time
    await this.driver.switchTo().defaultContent();
    // The driver loses as many lines at the top of a frame as the window is higher than it.
    const [around, height] = await this.script("return [outerHeight - innerHeight, document.querySelector('iframe').clientHeight]");
    const window = this.driver.manage().window();
    await window.setRect({ width: WINDOW[0], height: height + around });
    await until(() => this.script("return innerHeight === arguments[0]", height), "the window is as high as the page");
    const png = await this.#steady();
    await window.setRect({ width: WINDOW[0], height: WINDOW[1] });
    await this.driver.switchTo().frame(0);
    const file = path.join(PICTURES, `${name}.png`);
    writeFileSync(file, Buffer.from(png, "base64"));
    return file;
  }

  /** A window that was just made lower is painted a moment later, from the bottom up: until two pictures are alike but for a clock. */
  async #steady() {
    const frame = await this.driver.findElement(By.css("iframe"));
    const alike = (one, other) => Math.abs(one.length - other.length) < one.length / 50;
    await sleep(150);
    let before = await frame.takeScreenshot();
    return until(async () => {
      await sleep(150);
      const now = await frame.takeScreenshot();
      const still = alike(before, now);
      before = now;
      return still && now;
    }, "the picture stands still");
  }

  async close() {
    await this.driver?.quit().catch(() => {});
    this.#driverProcess.kill("SIGTERM");
    this.#display.close();
    this.#server.close();
    this.#server.closeAllConnections();
    rmSync(this.#config, { recursive: true, force: true });
  }
}

/** Each page is opened at noon of today: no midnight comes between two looks at it, after which "today" is called otherwise. */
const NOON = `<script>{ const now = Date.now; const ahead = new Date().setHours(12, 0, 0, 0) - now(); Date.now = () => now() + ahead; }</script>`;
/** The page asks its browser's name where a card is held. */
const PHONE = `<script>Object.defineProperty(navigator, "userAgent", { get: () => "Android" })</script>`;

function serve(request, response) {
  const { pathname: name, searchParams } = new URL(request.url, "http://localhost");
  if (name === "/host") return response.setHeader("content-type", "text/html").end(HOST);
  const file = path.join(BUILT, path.normalize(name));
  try {
    response.setHeader("content-type", KINDS[path.extname(file)] ?? "application/octet-stream");
    const body = readFileSync(file);
    response.end(name === "/index.html" ? body.toString().replace("<head>", `<head>${NOON}${searchParams.has("phone") ? PHONE : ""}`) : body);
  } catch {
    response.writeHead(404).end();
  }
}
