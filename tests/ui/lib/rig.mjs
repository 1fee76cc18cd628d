// Bank, virtual card, reader and keystore around the app: `cargo xtask rig` in a process of its own,
// which stops everything when its standard input closes.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import path from "node:path";
import readline from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const XTASK = process.env.TAPFILL_XTASK ?? path.resolve("target/debug/xtask");
const ANSWER_MS = 20_000;

export class Rig {
  #process;
  #lines;
  env = {};

  /** `options`: {card, empty, keyring, bankConfig}, as `cargo xtask rig` takes them. */
  static async start(dir, options = {}) {
    const args = ["rig", "--dir", dir];
    if (options.card) args.push("--card", options.card);
    if (options.empty) args.push("--empty");
    if (options.keyring) args.push("--keyring", options.keyring);
    if (options.bankConfig) args.push("--bank-config", options.bankConfig);
    const rig = new Rig();
    // In a group of its own: Ctrl-C reaches us alone, and the rig then stops its parts in order.
    rig.#process = spawn(XTASK, args, { detached: true, stdio: ["pipe", "pipe", "inherit"] });
    rig.#lines = readline.createInterface({ input: rig.#process.stdout })[Symbol.asyncIterator]();
    for (;;) {
      const line = await rig.#line();
      if (line === "ready") return rig;
      const at = line.indexOf("=");
      rig.env[line.slice(0, at)] = line.slice(at + 1);
    }
  }

  async #line() {
    const late = sleep(ANSWER_MS, { late: true }, { ref: false });
    const next = await Promise.race([this.#lines.next(), late]);
    if (next.late) throw new Error("the rig does not answer");
    if (next.done) throw new Error("the rig has ended");
    return next.value;
  }

  async #obey(command) {
    this.#process.stdin.write(`${command}\n`);
    const answer = await this.#line();
    if (answer !== "ok") throw new Error(`rig: ${command}: ${answer}`);
  }

  stopBank = () => this.#obey("bank stop");
  startBank = () => this.#obey("bank start");
  stopReader = () => this.#obey("reader stop");
  startReader = () => this.#obey("reader start");
  freezeReader = () => this.#obey("reader freeze");
  thawReader = () => this.#obey("reader thaw");
  unplugReader = () => this.#obey("reader unplug");
  plugReader = () => this.#obey("reader plug");

  /** One line to the virtual card's control port, e.g. `tear 52 before`; what follows `ok`. */
  async card(command) {
    const [host, port] = this.env.TAPFILL_CARD_CONTROL.split(":");
    const answer = await oneLine(host, Number(port), command);
    if (!answer.startsWith("ok")) throw new Error(`virtual card: ${command}: ${answer}`);
    const rest = answer.slice(2).trim();
    return rest ? JSON.parse(rest) : null;
  }

  /** The newest code sent for the card with this tail, by an SMS later than `sinceMs`. */
  async smsCode(tail, sinceMs) {
    for (const end = Date.now() + ANSWER_MS; Date.now() < end; await sleep(50)) {
      const inbox = await this.inbox();
      const sms = inbox.find((one) => one.card_tail === tail && one.sent_ms >= sinceMs);
      if (sms) return sms.code;
    }
    throw new Error(`no SMS for the card ${tail}`);
  }

  async inbox() {
    const profile = JSON.parse(readFileSync(this.env.TAPFILL_PROFILE, "utf8"));
    return JSON.parse(await get(this.env.TAPFILL_INBOX, profile.authority_pem));
  }

  async stop() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    if (this.#process.exitCode !== null) return;
    this.#process.stdin.end();
    await ended;
  }
}

function oneLine(host, port, text) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, timeout: ANSWER_MS }, () => socket.write(`${text}\n`));
    let answer = "";
    socket.setEncoding("utf8");
    socket.on("data", (part) => {
      answer += part;
      if (answer.includes("\n")) {
        socket.destroy();
        resolve(answer.split("\n")[0].trim());
      }
    });
    socket.on("timeout", () => socket.destroy(new Error(`${text}: no answer`)));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`${text}: closed without an answer`)));
  });
}

function get(url, ca) {
  return new Promise((resolve, reject) => {
    const request = https.get(url, { ca, timeout: ANSWER_MS }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (body += part));
      response.on("end", () =>
        response.statusCode === 200 ? resolve(body) : reject(new Error(`${url}: ${response.statusCode}`)),
      );
    });
    request.on("timeout", () => request.destroy(new Error(`${url}: no answer`)));
    request.on("error", reject);
  });
}
