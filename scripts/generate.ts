// `npm run generate`: makes gen/ anew from proto/ and third_party/: types and descriptors of each file,
// and in gen/comments.json the contracts' comments, which descriptors in code do not have; and
// client/gen/, the typed REST client. With --check it writes to a folder of its own instead, and fails
// when these are not what the contracts give.
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
import { clientFiles } from "./client/index.ts";
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
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith("_pb.ts") || name === "comments.json" || folder.endsWith("client/gen"))
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

const MADE = ["gen", "client/gen"];
const scratch = mkdtempSync(join(tmpdir(), "ferry-gen-"));
try {
  const contracts = join(scratch, "contracts.binpb");
  buf("generate", "--output", scratch);
  buf("build", "proto", "--as-file-descriptor-set", "--output", contracts);
  const image = readFileSync(contracts);
  writeFileSync(join(scratch, "gen", "comments.json"), commentsText(image));
  mkdirSync(join(scratch, "client", "gen"), { recursive: true });
  for (const [name, text] of clientFiles(image)) writeFileSync(join(scratch, "client", "gen", name), text);
  const drift = MADE.flatMap((folder) =>
    differences(join(root, folder), join(scratch, folder)).map((name) => join(folder, name)),
  );
  if (!process.argv.includes("--check")) for (const name of drift) write(name);
  else if (drift.length > 0) {
    console.error(`not what the contracts give; run "npm run generate":\n  ${drift.join("\n  ")}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** Only what has changed is touched: whoever runs from this tree meanwhile finds every file. */
function write(name: string): void {
  const [from, to] = [join(scratch, name), join(root, name)];
  if (existsSync(from)) {
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, `${to}.new`);
    renameSync(`${to}.new`, to);
  } else rmSync(to);
}
