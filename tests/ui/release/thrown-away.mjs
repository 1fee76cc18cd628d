// A root of this machine's own that is thrown away: packages are really installed in it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const HERE = import.meta.dirname;
const NOT_HERE = 77;

/** What the script says about the files, line by line; null where no such root can be made. */
export function thrownAway(script, files) {
  if (process.getuid() !== 0) return null;
  const empty = mkdtempSync(path.join(tmpdir(), "tapfill-root-"));
  const told = spawnSync(path.join(HERE, "throwaway.sh"), [path.join(HERE, script), empty, ...files], { encoding: "utf8" });
  rmSync(empty, { recursive: true });
  if (told.status === NOT_HERE) return null;
  assert.equal(told.status, 0, told.stdout + told.stderr);
  return told.stdout.trim().split("\n");
}
