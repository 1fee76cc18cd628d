// The bank's .deb: what is in it, that it starts nothing by itself, and that what it installs serves.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { until } from "../lib/app.mjs";
import { assertNamed } from "../lib/third-party.mjs";
import { thrownAway } from "./thrown-away.mjs";

const XTASK = process.env.TAPFILL_XTASK ?? path.resolve("target/debug/xtask");
const MADE = path.resolve("target/release/bundle/bank");
const BUILD_MS = 1_800_000;

const run = (program, ...args) => execFileSync(program, args, { encoding: "utf8" });
let root;
let deb;

before(() => {
  execFileSync(XTASK, ["bundle", "--bank"], { stdio: "inherit" });
  deb = path.join(MADE, readdirSync(MADE).find((name) => name.endsWith(".deb")));
  root = mkdtempSync(path.join(tmpdir(), "tapfill-bank-deb-"));
  run("dpkg-deb", "-x", deb, root);
}, { timeout: BUILD_MS });

after(() => rmSync(root, { recursive: true, force: true }));

test("the bank's .deb has program, units and how to run it, and no key or configuration", () => {
  const names = run("dpkg-deb", "-c", deb).split("\n").map((line) => line.split(/\s+/)[5]);
  for (const wanted of ["./usr/bin/bank", "./usr/lib/systemd/system/tapfill-bank.service", "./usr/lib/systemd/system/tapfill-bank-day.timer", "./usr/share/doc/tapfill-bank/operations.md", "./usr/share/doc/tapfill-bank/copyright", "./usr/share/doc/tapfill-bank/THIRD-PARTY.txt.gz", "./usr/share/doc/tapfill-bank/changelog.gz", "./usr/share/man/man1/bank.1.gz"]) {
    assert.ok(names.includes(wanted), `${wanted} is in the package: ${names}`);
  }
  assert.ok(!names.some((name) => name?.startsWith("./etc") || name?.startsWith("./var") || name?.endsWith(".key")), "no key, no configuration, no books");
  const lines = run("dpkg-deb", "-c", deb).split("\n");
  assert.ok(lines.every((line) => !line || line.includes("root/root")), "everything is root's");
  for (const line of lines.filter(Boolean)) {
    const mode = line.startsWith("d") || line.endsWith("/usr/bin/bank") ? "rwxr-xr-x" : "rw-r--r--";
    assert.equal(line.slice(1, 10), mode, `whoever built it under whatever umask: ${line}`);
  }
});

test("it names those whose crates are in it, with their licences' texts", () => {
  const doc = path.join(root, "usr/share/doc/tapfill-bank");
  const list = gunzipSync(readFileSync(path.join(doc, "THIRD-PARTY.txt.gz"))).toString("utf8");
  for (const name of ["tokio", "sqlx", "std"]) assertNamed(list, name);
  assert.doesNotMatch(list, /^(svelte|tauri|bank) \d/m, "nobody else");
  assert.match(readFileSync(path.join(doc, "copyright"), "utf8"), /\/usr\/share\/doc\/tapfill-bank\/THIRD-PARTY\.txt\.gz/);
});

test("it names the libraries that it needs, and the sums of its files", () => {
  const depends = run("dpkg-deb", "-f", deb, "Depends");
  assert.match(depends, /libc6 \(>= \d+\.\d+\)/, "of glibc the version that its symbols are of");
  assert.match(depends, /adduser/);
  assert.match(run("dpkg-deb", "-f", deb, "Maintainer"), /^[^<]+ <\S+@\S+>$/m);
  const sums = run("dpkg-deb", "-I", deb, "md5sums");
  const checked = execFileSync("md5sum", ["-c"], { cwd: root, input: sums, encoding: "utf8" }).trim().split("\n");
  const files = run("dpkg-deb", "-c", deb).split("\n").filter((line) => line.startsWith("-"));
  assert.equal(checked.length, files.length, "of every file");
});

test("its scripts make a user and start nothing that was not there", () => {
  for (const script of ["postinst", "prerm", "postrm"]) {
    const text = run("dpkg-deb", "-I", deb, script);
    assert.match(text, /^#!\/bin\/sh\nset -e\n/, script);
    assert.doesNotMatch(text, /(systemctl|deb-systemd-\w+) (--\w+ )?(start|restart|enable|disable) /, `${script} starts and enables nothing`);
    execFileSync("sh", ["-n"], { input: text });
    assert.doesNotMatch(text, /rm -r/, `${script} throws nothing away`);
  }
  const purged = run("dpkg-deb", "-I", deb, "postrm");
  assert.match(purged, /deb-systemd-helper purge/, "a purge leaves no link to a unit that is gone");
  assert.doesNotMatch(purged, /deluser|userdel/, "who owns the books stays");
  const units = path.join(root, "usr/lib/systemd/system");
  for (const unit of readdirSync(units).filter((name) => name.endsWith(".service"))) {
    const text = readFileSync(path.join(units, unit), "utf8");
    assert.match(text, /^User=tapfill-bank$/m, unit);
    assert.match(text, /^NoNewPrivileges=yes$/m, unit);
  }
});

test("installed, upgraded, removed and purged it does what an operator expects, and keeps what is theirs", (t) => {
  if (process.getuid() !== 0 || spawnSync("adduser", ["--version"]).error) return t.skip("only root has a root to throw away");
  const told = thrownAway("installed-bank.sh", [deb]);
  if (told === null) return t.skip("no overlay can be mounted here");
  const all = "tapfill-bank.service tapfill-bank-check.timer tapfill-bank-day.timer";
  const stop = "systemctl stop tapfill-bank-check.timer tapfill-bank-day.timer tapfill-bank.service";
  const reload = "systemctl --system daemon-reload";
  const restart = `systemctl try-restart ${all}`;
  assert.deepEqual(told, [
    "== install", reload, "drwxr-x--- root:tapfill-bank /etc/tapfill", "-rwxr-xr-x root:root /usr/bin/bank",
    "/var/lib/tapfill-bank:/usr/sbin/nologin", "bank: say what to do",
    "== upgrade", reload, restart, "drwx--x---",
    "== remove", stop, reload, "enabled",
    "== again", reload, restart,
    "== purge", stop, reload, "systemctl daemon-reload", "no link",
    "tapfill-bank: /etc/tapfill stays; it is yours to remove", "tapfill-bank: /var/lib/tapfill-bank stays; it is yours to remove",
    "keys", "key", "the user stays", "an empty folder goes",
  ]);
});

test("systemd understands its units, and they may do little", (t) => {
  const found = spawnSync("systemd-analyze", ["--version"], { encoding: "utf8" });
  if (found.error) return t.skip("systemd-analyze is not installed");
  // Its own tree, with the shell that one of them runs.
  mkdirSync(path.join(root, "bin"), { recursive: true });
  copyFileSync("/bin/true", path.join(root, "bin/sh"));
  const units = readdirSync(path.join(root, "usr/lib/systemd/system"));
  const analyse = (...words) => spawnSync("systemd-analyze", [...words.slice(0, 1), `--root=${root}`, ...words.slice(1)], { encoding: "utf8" });
  const verified = analyse("verify", "--recursive-errors=no", ...units);
  assert.equal(verified.stdout + verified.stderr, "");
  assert.equal(verified.status, 0);
  for (const unit of units.filter((name) => name.endsWith(".service"))) {
    const scored = analyse("security", "--offline=true", "--no-pager", "--threshold=15", unit);
    assert.equal(scored.status, 0, `${unit}: ${scored.stdout}${scored.stderr}`);
  }
});

test("lintian finds no error", (t) => {
  if (spawnSync("lintian", ["--version"]).error) return t.skip("lintian is not installed");
  // Who makes a package to hand it out gives an address by DEBEMAIL.
  const told = spawnSync("lintian", ["--allow-root", "--fail-on=error", "--suppress-tags=bogus-mail-host,bogus-mail-host-in-debian-changelog,root-in-contact", deb], { encoding: "utf8" });
  assert.equal(told.status, 0, told.stdout + told.stderr);
});

test("the bank that is installed serves with metrics, stops at a signal, and has no inbox", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "tapfill-bank-run-"));
  const config = path.join(folder, "bank.toml");
  writeFileSync(config, '[bank]\nname = "Bank"\nsecurity = "127.0.0.1:0"\ntransaction = "127.0.0.1:0"\nmetrics = "127.0.0.1:0"\n');
  chmodSync(config, 0o600);
  let said = "";
  const bank = spawn(path.join(root, "usr/bin/bank"), ["run", "--dir", path.join(folder, "bank"), "--config", config]);
  for (const stream of [bank.stdout, bank.stderr]) stream.on("data", (data) => (said += data));
  try {
    await until(() => /bank: ready/.test(said) || bank.exitCode !== null, "the ready line", () => said, 30_000);
    const metrics = /metrics=(\S+)/.exec(said)?.[1];
    assert.ok(metrics, said);
    const ready = await fetch(`http://${metrics}/health/ready`);
    assert.equal(ready.status, 200, await ready.text());
    const inbox = await fetch(`http://${metrics}/dev/sms`);
    assert.equal(inbox.status, 404, "nothing of development");
  } finally {
    bank.kill("SIGTERM");
  }
  const status = bank.exitCode ?? (await new Promise((resolve) => bank.once("exit", resolve)));
  assert.equal(status, 0, said);
  assert.ok(existsSync(path.join(folder, "bank/profile.json")), "the profile for its terminals");
  rmSync(folder, { recursive: true, force: true });
});
