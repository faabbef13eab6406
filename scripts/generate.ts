// `npm run generate`: makes gen/ anew from proto/ and third_party/: types and descriptors of each file,
// and in gen/comments.json the contracts' comments, which descriptors in code do not have. With --check
// it writes to a folder of its own instead, and fails when gen/ is not what the contracts give.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { commentsText } from "./comments.ts";

const root = join(import.meta.dirname, "..");

function buf(...args: string[]): void {
  const run = spawnSync("buf", args, { cwd: root, stdio: "inherit" });
  if (run.status !== 0) {
    rmSync(scratch, { recursive: true, force: true });
    process.exit(run.status ?? 1);
  }
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith("_pb.ts") || name === "comments.json")
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
const scratch = mkdtempSync(join(tmpdir(), "ferry-gen-"));
const fresh = join(scratch, "gen");
try {
  const contracts = join(scratch, "contracts.binpb");
  buf("generate", "--output", scratch);
  buf("build", "proto", "--as-file-descriptor-set", "--output", contracts);
  writeFileSync(join(fresh, "comments.json"), commentsText(readFileSync(contracts)));
  const drift = differences(gen, fresh);
  if (!process.argv.includes("--check")) for (const name of drift) write(name);
  else if (drift.length > 0) {
    console.error(`gen/ is not what the contracts give; run "npm run generate":\n  ${drift.join("\n  ")}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** Only what has changed is touched: whoever runs from this tree meanwhile finds every file. */
function write(name: string): void {
  const [from, to] = [join(fresh, name), join(gen, name)];
  if (existsSync(from)) {
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, `${to}.new`);
    renameSync(`${to}.new`, to);
  } else rmSync(to);
}
