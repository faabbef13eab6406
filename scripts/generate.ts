// `npm run generate`: makes gen/ anew from proto/ and third_party/. With --check it writes to a
// folder of its own instead, and fails when gen/ is not what the contracts give.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

function buf(out: string): void {
  const run = spawnSync("buf", ["generate", "--output", out], { cwd: root, stdio: "inherit" });
  if (run.status !== 0) process.exit(run.status ?? 1);
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith("_pb.ts"))
    .sort();
}

/** Names of generated files that differ between two folders, or stand in only one. */
function differences(left: string, right: string): string[] {
  const names = new Set([...filesOf(left), ...filesOf(right)]);
  const read = (folder: string, name: string) => {
    try {
      return readFileSync(join(folder, name), "utf8");
    } catch {
      return undefined;
    }
  };
  return [...names].filter((name) => read(left, name) !== read(right, name));
}

const gen = join(root, "gen");
if (process.argv.includes("--check")) {
  const scratch = mkdtempSync(join(tmpdir(), "ferry-gen-"));
  try {
    buf(scratch);
    const drift = differences(gen, join(scratch, "gen"));
    if (drift.length > 0) {
      console.error(`gen/ is not what the contracts give; run "npm run generate":\n  ${drift.join("\n  ")}`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
} else {
  for (const name of readdirSync(gen)) if (name !== "package.json") rmSync(join(gen, name), { recursive: true });
  buf(root);
}
