// The app and everything around it for one test. Copy this file and change it: it uses nothing of the project's own
// tests, only what docs/ui-testing.md promises.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import path from "node:path";
import readline from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Builder, By } from "selenium-webdriver";

/** The checkout. A copy of this file somewhere else is told where it is. */
const ROOT = process.env.TAPFILL_ROOT ?? fileURLToPath(new URL("../../../..", import.meta.url));
const APP = path.join(ROOT, "target/debug/tapfill");
const XTASK = path.join(ROOT, "target/debug/xtask");
const WAIT_MS = 30_000;

export const PHONE = "13800006021";
export const PASSWORD = "246810";

export class Tapfill {
  static async start(...rigOptions) {
    const tapfill = new Tapfill();
    try {
      tapfill.dir = mkdtempSync(path.join(ROOT, "target/sample-"));
      await tapfill.#startRig(rigOptions);
      await tapfill.#startApp();
      return tapfill;
    } catch (failure) {
      await tapfill.stop();
      throw failure;
    }
  }

  /** `cargo xtask rig` prints the environment of the app and then "ready". */
  async #startRig(options) {
    this.rig = spawn(XTASK, ["rig", "--dir", this.dir, ...options], { stdio: ["pipe", "pipe", "inherit"] });
    this.env = {};
    this.lines = readline.createInterface({ input: this.rig.stdout })[Symbol.asyncIterator]();
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) throw new Error("the rig did not start");
      if (value === "ready") return;
      const at = value.indexOf("=");
      this.env[value.slice(0, at)] = value.slice(at + 1);
    }
  }

  async #startApp() {
    const port = await freePort();
    const env = {
      ...process.env,
      ...this.env,
      HOME: this.env.RIG_HOME,
      XDG_RUNTIME_DIR: this.env.RIG_RUNTIME_DIR,
      TAURI_WEBVIEW_AUTOMATION: "true",
    };
    this.driverProcess = spawn("WebKitWebDriver", [`--port=${port}`, "--host=127.0.0.1"], { env, stdio: "ignore" });
    await this.until(() => listens(port), "the driver listens");
    this.driver = await new Builder()
      .disableEnvironmentOverrides()
      .usingServer(`http://127.0.0.1:${port}`)
      .withCapabilities({ browserName: "wry", "webkitgtk:browserOptions": { binary: APP, args: [] } })
      .build();
  }

  /** A line for the rig, like "bank stop". */
  async tell(line) {
    this.rig.stdin.write(`${line}\n`);
    const { value } = await this.lines.next();
    if (value !== "ok") throw new Error(`${line}: ${value}`);
  }

  /** A line for the virtual card, like "tear 52 before". */
  async card(line) {
    const [host, port] = this.env.TAPFILL_CARD_CONTROL.split(":");
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host, port: Number(port) }, () => socket.write(`${line}\n`));
      socket.setEncoding("utf8").on("error", reject).once("data", (answer) => {
        socket.destroy();
        if (answer.startsWith("ok")) resolve(answer.slice(2).trim());
        else reject(new Error(`${line}: ${answer}`));
      });
    });
  }

  /** The code of the newest message sent since. */
  async smsCode(sinceMs) {
    const ca = JSON.parse(readFileSync(this.env.TAPFILL_PROFILE, "utf8")).authority_pem;
    return this.until(async () => {
      const inbox = JSON.parse(await get(this.env.TAPFILL_INBOX, ca));
      return inbox.find((sms) => sms.sent_ms >= sinceMs)?.code;
    }, "a message with a code");
  }

  /** Clicks, types, reads. The page draws an element anew when its value changes, so each finds it again and tries until it works. */
  click = (id) => this.#use(id, (element) => element.click());
  type = (id, text) => this.#use(id, async (element) => { await element.clear(); await element.sendKeys(text); });
  text = (id) => this.#use(id, async (element) => (await element.getText()).trim());

  #use(id, use) {
    return this.until(async () => {
      const [element] = await this.driver.findElements(By.css(`[data-testid="${id}"]`));
      if (!element || !(await element.isDisplayed()) || !(await element.isEnabled())) return null;
      return (await use(element)) ?? true;
    }, `${id} can be used`);
  }

  /** Waits for `data-state`; which of the given ones it is. */
  async state(id, ...states) {
    return this.until(async () => {
      const [element] = await this.driver.findElements(By.css(`[data-testid="${id}"]`));
      const state = await element?.getAttribute("data-state");
      return states.includes(state) ? state : null;
    }, `${id} is ${states.join(" or ")}`);
  }

  async until(probe, what) {
    let last;
    for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(100)) {
      const value = await Promise.resolve(probe()).catch((failure) => { last = failure; });
      if (value) return value;
    }
    throw new Error(`not within ${WAIT_MS} ms: ${what}`, { cause: last });
  }

  async stop() {
    await this.driver?.quit().catch(() => {});
    this.driverProcess?.kill();
    if (this.rig && this.rig.exitCode === null) {
      const ended = new Promise((resolve) => this.rig.once("exit", resolve));
      this.rig.stdin.end(); // the rig stops all of its parts
      await ended;
    }
    if (this.dir) rmSync(this.dir, { recursive: true, force: true });
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: "127.0.0.1", port }, () => { socket.destroy(); resolve(true); });
    socket.on("error", () => resolve(false));
  });
}

function get(url, ca) {
  return new Promise((resolve, reject) => {
    https.get(url, { ca }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part) => (body += part)).on("end", () => resolve(body));
    }).on("error", reject);
  });
}
