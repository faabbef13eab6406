import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "@ferry/platform/config";
import { repository } from "./config.ts";

/** Compiled modules, for every platform of this checkout; `npm ci` takes it away with the rest. */
export const compileCacheDirectory = join(repository, "node_modules", ".cache", "ferry");

const ROOMS = ["edge", "gen", "local", "platform", "services"];

/** Changes when any source of the platform does. */
function fingerprint(): string {
  const hash = createHash("sha256").update(process.version);
  for (const room of ROOMS)
    for (const name of readdirSync(join(repository, room), { recursive: true, encoding: "utf8" }).sort()) {
      if (!name.endsWith(".ts") || name.includes("node_modules")) continue;
      hash.update(`${room}/${name} ${statSync(join(repository, room, name), { throwIfNoEntry: false })?.mtimeMs}\n`);
    }
  return hash.digest("hex");
}

/**
 * Compiles what the processes run once, before they start, when a source has changed. Otherwise each of them
 * would load the compiler of TypeScript: 20 MB of memory for as long as it lives, and half a second of CPU.
 */
export async function fillCompileCache(environment: Environment): Promise<void> {
  const mark = join(compileCacheDirectory, "filled");
  const wanted = fingerprint();
  try {
    mkdirSync(compileCacheDirectory, { recursive: true });
    if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return;
  } catch {
    return; // A checkout that cannot be written to: each process compiles by itself.
  }
  const compiler = spawn(process.execPath, [join(repository, "scripts/compile.ts")], {
    env: { ...environment, NODE_COMPILE_CACHE: compileCacheDirectory },
    stdio: "ignore",
  });
  const code = await new Promise((resolve) => {
    compiler.once("exit", resolve);
    compiler.once("error", resolve);
  });
  // Whatever failed shows in the process that needs it.
  if (code === 0) writeFileSync(mark, wanted);
}
