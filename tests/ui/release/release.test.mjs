// What is handed to people: nothing of development is in it, and its window is driven by its person alone.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, realpathSync, rmSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { answers, childRunning, environment, freePort, until } from "../lib/app.mjs";
import { Rig } from "../lib/rig.mjs";

const DEVELOPMENT = path.resolve("target/debug");
const RELEASE = path.resolve("target/release");
const KEPT = path.resolve("target/artefacts/release");
const REFUSED_AFTER_MS = 15_000;

/** Of the inbox, of the demo bank, of the simulator. */
const FORBIDDEN = {
  bank: ["/dev/sms", "SMS inbox", "Demo Bank", "00112233445566778899AABBCCDDEEFF", "13800006021", "246810"],
  tapfill: ["TAPFILL_SIMULATOR", "TAPFILL_CONTROL", "demo-inactive"],
};

for (const [program, words] of Object.entries(FORBIDDEN)) {
  test(`nothing of development is in a released ${program}`, () => {
    const released = readFileSync(path.join(RELEASE, program));
    const development = readFileSync(path.join(DEVELOPMENT, program));
    for (const word of words) {
      assert.ok(development.includes(word), `the development build has "${word}": looking for it means something`);
      assert.ok(!released.includes(word), `"${word}" is in the release`);
    }
  });
}

test("a released app can't be driven through WebDriver", { timeout: 120_000 }, async () => {
  rmSync(KEPT, { recursive: true, force: true });
  mkdirSync(KEPT, { recursive: true });
  const rig = await Rig.start(realpathSync(KEPT));
  try {
    const development = await session(rig, path.join(DEVELOPMENT, "tapfill"));
    assert.equal(development.status, 200, "the same way opens a development build");
    const released = await session(rig, path.join(RELEASE, "tapfill"));
    assert.notEqual(released.status, 200, "the release was opened");
    assert.ok(released.runs, "and the app runs all the same");
    for (const name of ["TAURI_WEBVIEW_AUTOMATION", "WEBKIT_INSPECTOR_SERVER"]) {
      assert.ok(!released.environment.includes(name), `${name} reached the web view`);
    }
  } finally {
    await rig.stop();
  }
});

/** The process that has the page in it; none while the app is on its way there. */
function webView(app) {
  try {
    return childRunning(app, "/WebKitWebProcess");
  } catch {
    return null;
  }
}

/** Asks for a WebDriver session with `binary`: the answer's status (0: none came), and how the app fares. */
async function session(rig, binary) {
  const port = await freePort();
  const log = openSync(path.join(KEPT, "app.log"), "a");
  const driver = spawn("WebKitWebDriver", [`--port=${port}`, "--host=127.0.0.1"], {
    env: environment(rig),
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  let pid;
  try {
    await until(() => answers(port), "WebKitWebDriver answers");
    const asked = fetch(`http://127.0.0.1:${port}/session`, {
      method: "POST",
      body: JSON.stringify({
        capabilities: { alwaysMatch: { browserName: "wry", "webkitgtk:browserOptions": { binary, args: [] } } },
      }),
    }).then(
      (answer) => answer.status,
      () => 0,
    );
    const status = await Promise.race([asked, sleep(REFUSED_AFTER_MS, 0, { ref: false })]);
    pid = childRunning(driver.pid, binary);
    const view = await until(() => webView(pid), "the web view's process");
    const environ = readFileSync(`/proc/${view}/environ`, "utf8");
    return { status, runs: true, environment: environ };
  } finally {
    driver.kill("SIGTERM");
    if (pid) process.kill(pid, "SIGKILL");
  }
}
