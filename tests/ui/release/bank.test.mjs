// The bank's .deb: what is in it, that it starts nothing by itself, and that what it installs serves.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { until } from "../lib/app.mjs";

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
  for (const wanted of ["./usr/bin/bank", "./lib/systemd/system/tapfill-bank.service", "./lib/systemd/system/tapfill-bank-day.timer", "./usr/share/doc/tapfill-bank/operations.md"]) {
    assert.ok(names.includes(wanted), `${wanted} is in the package: ${names}`);
  }
  assert.ok(!names.some((name) => name?.startsWith("./etc") || name?.startsWith("./var") || name?.endsWith(".key")), "no key, no configuration, no books");
  const lines = run("dpkg-deb", "-c", deb).split("\n");
  assert.ok(lines.every((line) => !line || line.includes("root/root")), "everything is root's");
});

test("its scripts make a user and start nothing that was not there", () => {
  for (const script of ["postinst", "prerm", "postrm"]) {
    const text = run("dpkg-deb", "-I", deb, script);
    assert.match(text, /^#!\/bin\/sh\nset -e\n/, script);
    assert.doesNotMatch(text, /systemctl (start|enable)/, `${script} starts nothing`);
    assert.doesNotMatch(text, /rm -r/, `${script} throws nothing away`);
  }
  const units = path.join(root, "lib/systemd/system");
  for (const unit of readdirSync(units).filter((name) => name.endsWith(".service"))) {
    const text = readFileSync(path.join(units, unit), "utf8");
    assert.match(text, /^User=tapfill-bank$/m, unit);
    assert.match(text, /^NoNewPrivileges=yes$/m, unit);
  }
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
