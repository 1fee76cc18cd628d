// A test with everything around the app, started for it alone and stopped afterwards, whatever happens.
import { mkdirSync, realpathSync, rmSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { App } from "./app.mjs";
import { Rig } from "./rig.mjs";

const KEPT = path.resolve(process.env.TAPFILL_SCREENS ?? "target/artefacts/screens", "../ui");
const LIMIT_MS = 120_000;
const CLEANUP_MS = 60_000;

/**
 * `options`: those of the rig, `before(rig, dir)` for what happens before the app starts, with more
 * environment for the app if it gives some, `args` for the app, `limitMs`.
 * `story` gets {app, rig, dir, restart}: `restart` starts the app again after `app.kill()` or `app.close()` and gives the new one.
 * The folder with the logs of all parts stays in target/artefacts/ui, with a picture when the story failed.
 */
export function scenario(name, options, story) {
  const limitMs = options.limitMs ?? LIMIT_MS;
  test(name, { timeout: limitMs + CLEANUP_MS }, async () => {
    const dir = path.join(KEPT, name.replace(/[^a-z0-9]+/gi, "-").toLowerCase());
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    const rig = await Rig.start(realpathSync(dir), options);
    const world = { rig, dir, app: null };
    let env;
    world.restart = async () => (world.app = await App.start(rig, dir, options.args, env));
    try {
      env = await options.before?.(rig, dir);
      await world.restart();
      await Promise.race([story(world), tooLate(limitMs)]);
    } catch (failure) {
      await world.app?.picture(`failed-${path.basename(dir)}`).catch(() => {});
      throw failure;
    } finally {
      await world.app?.close().catch(() => {});
      await rig.stop();
    }
  });
}

async function tooLate(limitMs) {
  await sleep(limitMs, null, { ref: false });
  throw new Error(`not finished within ${limitMs} ms`);
}
