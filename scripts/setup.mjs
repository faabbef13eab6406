// Runs before `npm start` and `npm test`: installs what the lockfile names when that is not what is
// installed. Depends on nothing, and runs on any Node from 20 on.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const mark = join(root, "node_modules", ".ferry-installed");
const wanted = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");
const installed = existsSync(mark) ? readFileSync(mark, "utf8") : "";

if (Number(process.versions.node.split(".")[0]) < 20) {
  console.error(`Ferry needs Node 20 or later to start (this is ${process.versions.node}); it then runs on its own.`);
  process.exit(1);
}
if (installed !== wanted) {
  console.error("Installing packages (npm ci) …");
  const run = spawnSync("npm", ["ci", "--include=dev", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (run.status !== 0) {
    console.error("npm ci failed; see above.");
    process.exit(run.status ?? 1);
  }
  writeFileSync(mark, wanted);
}
