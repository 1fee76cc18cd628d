// The real app under WebKitWebDriver: one driver process and one window at a time.
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Builder, By } from "selenium-webdriver";
import { faults } from "./axe.mjs";

const APP = path.resolve(process.env.TAPFILL_APP ?? "target/debug/tapfill");
const SCREENS = path.resolve(process.env.TAPFILL_SCREENS ?? "target/artefacts/screens");
const WAIT_MS = 20_000;
const POLL_MS = 40;

export class App {
  #driverProcess;
  #pid;
  driver;

  /** Starts the app with the rig's environment, a home of its own and `more` variables, and with `args` as the system would. */
  static async start(rig, dir, args = [], more = {}) {
    const app = new App();
    const port = await freePort();
    const log = openSync(path.join(dir, "app.log"), "a");
    app.#driverProcess = spawn("WebKitWebDriver", [`--port=${port}`, "--host=127.0.0.1"], {
      env: { ...environment(rig), ...more },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    try {
      await until(() => answers(port), "WebKitWebDriver answers");
      app.driver = await new Builder()
        .disableEnvironmentOverrides()
        .usingServer(`http://127.0.0.1:${port}`)
        .withCapabilities({ browserName: "wry", "webkitgtk:browserOptions": { binary: APP, args } })
        .build();
      app.#pid = childRunning(app.#driverProcess.pid, APP);
      await until(() => app.screen(), "a screen is shown");
      return app;
    } catch (failure) {
      await app.close();
      throw failure;
    }
  }

  /** The name of the screen that is shown, or null. */
  async screen() {
    return this.driver.executeScript(`
      const shown = [...document.querySelectorAll('[data-testid^="screen-"]')].find((e) => e.checkVisibility());
      return shown ? shown.dataset.testid.slice("screen-".length) : null;`);
  }

  /** The elements with this test id that are displayed. */
  async all(id) {
    const find = () => this.driver.executeScript(
      `return [...document.querySelectorAll('[data-testid="' + arguments[0] + '"]')].filter((e) => e.checkVisibility())`,
      id,
    );
    // One that is drawn anew on its way here is none that the driver can hand over.
    return find().catch((error) => {
      if (error.name !== "StaleElementReferenceError") throw error;
      return find();
    });
  }

  async shows(id) {
    return (await this.all(id)).length > 0;
  }

  /** The first element with this test id, once it is displayed. */
  async get(id) {
    return until(async () => (await this.all(id))[0], `${id} is shown`, () => this.situation());
  }

  /** Its text, once there is some: what fades in has none for WebDriver until it can be seen. */
  async text(id) {
    return this.#patient(id, async (element) => {
      const text = (await element.getText()).trim();
      if (!text) throw new Error(`${id} has no text`);
      return text;
    });
  }

  async state(id) {
    const [element] = await this.driver.findElements(By.css(`[data-testid="${id}"]`));
    return element ? element.getAttribute("data-state") : null;
  }

  /** Waits until the element's `data-state` is one of `states`; which one it is. */
  async untilState(id, ...states) {
    const now = async () => {
      const state = await this.state(id).catch(() => null);
      return states.includes(state) ? state : null;
    };
    return until(now, `${id} is ${states.join(" or ")}`, () => this.situation());
  }

  async untilScreen(name) {
    await until(async () => (await this.screen()) === name, `screen ${name}`, () => this.situation());
  }

  /** Clicks as soon as the element is there and enabled. */
  async click(id) {
    await this.#patient(id, async (element) => {
      if (!(await element.isEnabled())) throw new Error(`${id} is disabled`);
      // WebKit's driver does not scroll a page inside the page.
      await this.driver.executeScript("arguments[0].scrollIntoView({ block: 'nearest' })", element);
      await element.click();
    });
  }

  async type(id, text) {
    await this.#patient(id, async (element) => {
      await element.clear();
      await element.sendKeys(text);
    });
  }

  async choose(id, value) {
    await this.#patient(id, async (element) => {
      await element.findElement(By.css(`option[value="${value}"]`)).click();
    });
  }

  /** Waits for any of the ids; which one is shown. */
  async first(...ids) {
    const shown = async () => {
      for (const id of ids) if (await this.shows(id)) return id;
      return null;
    };
    return until(shown, `one of ${ids.join(", ")} is shown`, () => this.situation());
  }

  // The page is redrawn whole at each change: an element may be replaced between finding and using it.
  async #patient(id, use) {
    let last;
    const attempt = async () => {
      const element = (await this.all(id))[0];
      if (!element) return null;
      try {
        return { value: await use(element) };
      } catch (failure) {
        last = failure;
        return null;
      }
    };
    const done = await until(attempt, `${id} can be used`, async () => `${last ?? ""} ${await this.situation()}`);
    return done.value;
  }

  /** Everything that the page holds, shown or not. */
  async everything() {
    return this.driver.executeScript(`
      const values = [...document.querySelectorAll("input, textarea")].map((e) => e.value);
      const stored = [localStorage, sessionStorage].map((s) => JSON.stringify(s));
      return [document.documentElement.outerHTML, ...values, ...stored].join("\\n");`);
  }

  async size(width, height) {
    await this.driver.manage().window().setRect({ width, height });
    const inner = () => this.driver.executeScript("return innerWidth");
    await until(async () => Math.abs((await inner()) - width) <= 1, `the window is ${width} wide`, inner);
  }

  async picture(name) {
    mkdirSync(SCREENS, { recursive: true });
    await this.driver.executeScript("return document.fonts.ready.then(() => true)");
    await sleep(250); // movements on the page end within this time
    // WebKit never answers when it believes that there is nothing new to draw.
    const png = await Promise.race([this.driver.takeScreenshot(), sleep(WAIT_MS, null, { ref: false })]);
    if (!png) throw new Error(`no picture of ${name}`);
    writeFileSync(path.join(SCREENS, `${name}.png`), Buffer.from(png, "base64"));
  }

  /** A picture of a state that stays, and what axe says of it. */
  async look(name) {
    await this.picture(name);
    const found = await faults(this.driver);
    if (found.length > 0) throw new Error(`${name}: ${found.join("\n")}`);
  }

  async situation() {
    const screen = await this.screen().catch(() => "?");
    const error = (await this.shows("error-code").catch(() => false))
      ? await this.all("error-code").then((found) => found[0].getText()).catch(() => "?")
      : "none";
    return `screen ${screen}, error ${error}`;
  }

  /** Ends the app the hard way, as a power cut would. */
  async kill() {
    process.kill(this.#pid, "SIGKILL");
    await this.close();
  }

  async close() {
    if (this.driver) await Promise.race([this.driver.quit().catch(() => {}), sleep(5_000)]);
    this.#driverProcess.kill("SIGTERM");
    await until(() => this.#driverProcess.exitCode !== null || this.#driverProcess.signalCode !== null, "the driver ends");
    if (!this.#pid) return;
    const gone = () => !existsSync(`/proc/${this.#pid}`) || readFileSync(`/proc/${this.#pid}/stat`, "utf8").includes(") Z ");
    await until(gone, "the app ends", null, 5_000).catch(() => process.kill(this.#pid, "SIGKILL"));
  }
}

/** Starts the app a second time, as a desktop does with a link. Gives its exit status, or null when it goes on. */
export async function startAgain(rig, ...args) {
  const { TAURI_WEBVIEW_AUTOMATION: _driven, ...env } = environment(rig);
  const second = spawn(APP, args, { env, stdio: "ignore" });
  const ended = new Promise((resolve) => second.once("exit", resolve));
  const status = await Promise.race([ended, sleep(WAIT_MS, null, { ref: false })]);
  if (status === null) second.kill("SIGKILL");
  return status;
}

/** Tries until `probe` gives something; `tell` says more when it never does. */
export async function until(probe, what, tell, limitMs = WAIT_MS) {
  const end = Date.now() + limitMs;
  for (;;) {
    // Known before it is asked: an answer that a pause of the machine held back tells of a time before the limit.
    const last = Date.now() > end;
    const value = await probe();
    if (value) return value;
    if (last) {
      const more = tell ? ` (${await tell()})` : "";
      throw new Error(`not within ${limitMs} ms: ${what}${more}`);
    }
    await sleep(POLL_MS);
  }
}

export function environment(rig) {
  const kept = ["PATH", "DISPLAY", "XAUTHORITY", "LANG", "RUST_BACKTRACE", "RUST_LOG"];
  const own = Object.fromEntries(kept.filter((name) => process.env[name]).map((name) => [name, process.env[name]]));
  return {
    LANG: "C.UTF-8",
    ...own,
    ...rig.env,
    HOME: rig.env.RIG_HOME,
    XDG_RUNTIME_DIR: rig.env.RIG_RUNTIME_DIR,
    TAURI_WEBVIEW_AUTOMATION: "true",
  };
}

export function childRunning(parent, program) {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const ppid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      if (ppid === parent && readlinkSync(`/proc/${pid}/exe`).endsWith(program)) return Number(pid);
    } catch {
      // a process that ended while we looked
    }
  }
  throw new Error(`no ${program} under ${parent}`);
}

export function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: "127.0.0.1", port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
