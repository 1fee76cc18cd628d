// A screen of its own, which nobody sees: two windows on one screen take the focus from each other.
import { spawn } from "node:child_process";
import { once } from "node:events";

export class Display {
  #server;
  name;

  /** Of so many pixels; the server itself chooses a number that is free. */
  static async start([width, height]) {
    const display = new Display();
    display.#server = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", `${width}x${height}x24`, "-nolisten", "tcp"], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    const failed = once(display.#server, "exit").then(([code]) => Promise.reject(new Error(`Xvfb ended with ${code}`)));
    const [number] = await Promise.race([once(display.#server.stdio[3], "data"), failed]);
    failed.catch(() => {});
    display.name = `:${number.toString().trim()}`;
    return display;
  }

  close() {
    this.#server.kill("SIGTERM");
  }
}
