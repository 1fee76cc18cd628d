// The installers: what is in them, and that what they install starts and finds its bank.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, realpathSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { environment, until } from "../lib/app.mjs";
import { Rig } from "../lib/rig.mjs";
import { assertNamed } from "../lib/third-party.mjs";
import { thrownAway } from "./thrown-away.mjs";

const XTASK = process.env.TAPFILL_XTASK ?? path.resolve("target/debug/xtask");
const BUNDLES = path.resolve("target/release/bundle");
const KEPT = path.resolve("target/artefacts/install");
/** As on a system: a program in usr/bin of a folder with this name looks for its files beside it. */
const ROOTS = { deb: path.join(KEPT, "data"), rpm: path.join(KEPT, "rpm-data") };
const ROOT = ROOTS.deb;
const BUILD_MS = 1_800_000;
const START_MS = 60_000;

let rig;

before(async () => {
  rmSync(KEPT, { recursive: true, force: true });
  rmSync(BUNDLES, { recursive: true, force: true });
  for (const root of Object.values(ROOTS)) mkdirSync(root, { recursive: true });
  rig = await Rig.start(realpathSync(KEPT));
  execFileSync(XTASK, ["bundle", "--profile", rig.env.TAPFILL_PROFILE], { stdio: "inherit" });
}, { timeout: BUILD_MS });

after(() => rig?.stop());

const run = (program, ...args) => execFileSync(program, args, { encoding: "utf8" });

function only(kind) {
  const found = readdirSync(path.join(BUNDLES, kind)).filter((name) => name.endsWith(`.${kind}`));
  assert.equal(found.length, 1, `one .${kind}: ${found}`);
  return path.join(BUNDLES, kind, found[0]);
}

/** What every package has, by its path on the system. */
const FILES = [
  /^\/usr\/bin\/tapfill$/,
  /^\/usr\/lib\/Tapfill\/profile\.json$/,
  /^\/usr\/lib\/Tapfill\/THIRD-PARTY\.txt$/,
  /^\/usr\/share\/applications\/Tapfill\.desktop$/,
  /^\/usr\/share\/polkit-1\/actions\/org\.tapfill\.app\.policy$/,
  /^\/usr\/share\/icons\/hicolor\/128x128\/apps\/tapfill\.png$/,
];

test("the .deb names what it needs and has what the desktop wants", () => {
  const deb = only("deb");
  const control = run("dpkg-deb", "-f", deb);
  const depends = /^Depends: (.*)$/m.exec(control)?.[1] ?? "";
  for (const needed of ["libpcsclite1", "libwebkit2gtk-4.1-0", "libgtk-3-0", "libayatana-appindicator3-1"]) assert.ok(depends.includes(needed), `${needed}: ${depends}`);
  assert.match(control, /^Recommends: .*pcscd/m);
  run("dpkg-deb", "-x", deb, ROOT);
  for (const wanted of FILES) assert.ok(files(ROOT).some((name) => wanted.test(name)), `${wanted} is in the package`);
  const desktop = readFileSync(path.join(ROOT, "usr/share/applications/Tapfill.desktop"), "utf8");
  assert.match(desktop, /^MimeType=.*x-scheme-handler\/tapfill/m, "links find the app");
  assert.match(desktop, /^Exec=tapfill %u$/m, "and are handed over");
  assert.match(desktop, /^Name\[zh_CN\]=随手充$/m);
});

test("what is installed names those whose work is in it, with their licences' texts", () => {
  const list = readFileSync(path.join(ROOT, "usr/lib/Tapfill/THIRD-PARTY.txt"), "utf8");
  for (const name of ["tokio", "tauri", "svelte", "@tauri-apps/api", "std"]) assertNamed(list, name);
  assert.doesNotMatch(list, /^(tapfill|session|virtual-card|axum) \d/m, "neither ours nor what is in other programs");
  const copyright = readFileSync(path.join(ROOT, "usr/share/doc/tapfill/copyright"), "utf8");
  assert.match(copyright, /^Format: https:\/\/www\.debian\.org\//, "in Debian's form");
  assert.match(copyright, /\/usr\/lib\/Tapfill\/THIRD-PARTY\.txt/, "says where the list is");
});

test("the .rpm names the same", () => {
  const rpm = only("rpm");
  const names = run("rpm", "-qpl", "--nosignature", rpm).trim().split("\n");
  for (const wanted of FILES) assert.ok(names.some((name) => wanted.test(name)), `${wanted} is in the package`);
  const archive = execFileSync("rpm2archive", ["-"], { input: readFileSync(rpm), maxBuffer: 1 << 28, stdio: ["pipe", "pipe", "ignore"] });
  execFileSync("tar", ["-xz", "-C", ROOTS.rpm], { input: archive });
  const requires = run("rpm", "-qpR", "--nosignature", rpm);
  for (const needed of ["pcsc-lite-libs", "webkit2gtk"]) assert.ok(requires.includes(needed), `${needed}: ${requires}`);
});

test("both packages are installed, are whole, need nothing more, and leave nothing behind", { timeout: 4 * START_MS }, (t) => {
  const told = thrownAway("installed-app.sh", [only("deb"), only("rpm")]);
  if (told === null) return t.skip("no overlay can be mounted here");
  const mode = "-rwxr-xr-x root:root /usr/bin/tapfill";
  assert.deepEqual(told, [
    "== deb", "install ok installed", mode, "0",
    "== again", "install ok installed",
    "== purge", "not there", "nothing left",
    "== rpm", "tapfill", mode, "0",
    "== erase", "package tapfill is not installed", "nothing left",
  ]);
});

for (const [kind, root] of Object.entries(ROOTS)) {
  test(`what the .${kind} installs starts, finds its bank, and is the only one`, { timeout: 2 * START_MS }, async () => {
    const binary = path.join(root, "usr/bin/tapfill");
    const { TAURI_WEBVIEW_AUTOMATION: _driven, TAPFILL_PROFILE: _profile, ...around } = environment(rig);
    const env = { ...around, TAPFILL_DIR: path.join(KEPT, `of-${kind}`) };
    const log = openSync(path.join(KEPT, `app-${kind}.log`), "a");
    const app = spawn(binary, [], { env, stdio: ["ignore", log, log] });
    closeSync(log);
    try {
      const settings = path.join(env.TAPFILL_DIR, "settings.json");
      const enrolled = () => existsSync(settings) && /"terminal": "\d{12}"/.test(readFileSync(settings, "utf8"));
      // The second one finds the keys of the first in the keystore, and asks the bank for its packages at once.
      const served = () => existsSync(path.join(env.TAPFILL_DIR, "packages.json"));
      await until(() => enrolled() || served(), "a word of the bank", () => `exit status ${app.exitCode}`, START_MS);
      const second = spawn(binary, ["tapfill://topup?amount=50"], { env, stdio: "ignore" });
      const status = await new Promise((resolve) => second.once("exit", resolve));
      assert.equal(status, 0, "a second start hands its link over and ends");
      assert.equal(app.exitCode, null, "the first one goes on");
    } finally {
      app.kill("SIGKILL");
    }
  });
}

/** The files under a folder, as paths on the system. */
function files(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => statSync(path.join(folder, name)).isFile())
    .map((name) => `/${name}`);
}
