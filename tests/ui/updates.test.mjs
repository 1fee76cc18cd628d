// A newer version: offered, installed only with its publisher's signature, and never under a person's hands.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { until } from "./lib/app.mjs";
import { failure, firstStart, settings } from "./lib/journeys.mjs";
import { scenario } from "./lib/scenario.mjs";

const NEW = "9.0.0";
/** What stands for an installed AppImage, and what stands for the next one: any two programs. */
const INSTALLED = "/bin/false";
const NEXT = "/bin/true";

/** A key pair in minisign's form, which is what `tauri signer` makes. */
class Publisher {
  #key;
  #id = randomBytes(8);
  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.#key = privateKey;
    const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
    this.pubkey = asText(["untrusted comment: public key", boxed(Buffer.from("Ed"), this.#id, raw)]);
  }

  sign(file, version) {
    const hash = createHash("blake2b512").update(file).digest();
    const signature = sign(null, hash, this.#key);
    const comment = `timestamp:1\tfile:Tapfill.AppImage\tversion:${version}`;
    const all = sign(null, Buffer.concat([signature, Buffer.from(comment)]), this.#key);
    return asText(["untrusted comment: signature", boxed(Buffer.from("ED"), this.#id, signature), `trusted comment: ${comment}`, all.toString("base64")]);
  }
}

const boxed = (...parts) => Buffer.concat(parts).toString("base64");
const asText = (lines) => Buffer.from(lines.join("\n")).toString("base64");

/** A place that offers `file` as version 9 with the signature that `signed` makes for it. */
function offering(signed, file = NEXT) {
  return async (_rig, dir) => {
    const publisher = new Publisher();
    const bytes = readFileSync(file);
    const offer = { version: NEW, notes: "", signature: signed(publisher, bytes) };
    const server = http.createServer((request, response) => {
      if (request.url === "/next") return response.end(bytes);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ ...offer, url: `http://127.0.0.1:${server.address().port}/next` }));
    });
    await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
    server.unref();
    const installed = installedIn(dir);
    copyFileSync(INSTALLED, installed);
    chmodSync(installed, 0o755);
    const endpoints = [`http://127.0.0.1:${server.address().port}/{{target}}/{{arch}}/{{current_version}}`];
    const updates = { endpoints, pubkey: publisher.pubkey, requireSignedVersion: true, dangerousInsecureTransportProtocol: true };
    return { APPIMAGE: installed, TAPFILL_UPDATES: JSON.stringify(updates) };
  };
}

const installedIn = (dir) => path.join(dir, "Tapfill.AppImage");
const isNext = (dir) => readFileSync(installedIn(dir)).equals(readFileSync(NEXT));

async function offered(app) {
  await firstStart(app);
  await settings(app);
  const version = await app.get("update-version");
  assert.equal(await version.getAttribute("data-version"), NEW);
}

/** The app goes on as it was, and says why. */
async function refused({ app, dir }) {
  await offered(app);
  await app.click("update-now");
  await failure(app, "update-failed");
  assert.ok(!isNext(dir), "what is installed was not touched");
  assert.equal(await app.screen(), "settings");
  assert.ok(await (await app.get("update-now")).isEnabled(), "the offer stands");
}

const good = { before: offering((publisher, file) => publisher.sign(file, NEW)) };

scenario("a newer version with its publisher's signature is installed when the person says so", good, async ({ app, dir }) => {
  await offered(app);
  await app.look("settings-update");
  assert.ok(!isNext(dir), "nothing is installed by itself");
  await app.click("update-now");
  await until(() => isNext(dir), "the next version is in its place");
  await until(async () => (await app.screen().catch(() => null)) === null, "the old one has ended");
});

const foreign = { before: offering((_publisher, file) => new Publisher().sign(file, NEW)) };
scenario("a newer version that somebody else has signed is not installed", foreign, refused);

const changed = { before: offering((publisher) => publisher.sign(readFileSync(INSTALLED), NEW)) };
scenario("a newer version that was changed after it was signed is not installed", changed, refused);

const older = { before: offering((publisher, file) => publisher.sign(file, "0.0.9")) };
scenario("an older version that is passed off as a newer one is not installed", older, refused);

scenario("an app whose publisher names no place asks nobody and offers nothing", {}, async ({ app }) => {
  await firstStart(app);
  await settings(app);
  assert.ok(!(await app.shows("update-version")));
});
