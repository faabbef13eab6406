// `npm run bench:costs`: measures what a transfer costs, part by part and beside each part's floor, and writes
// the tables into docs/performance.md. Takes about two minutes.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { calibrate, calibrationOf } from "../measure/calibration.ts";
import { measureFloors } from "./costs/floors.ts";
import { measurePlatform } from "./costs/measure.ts";
import { renderCosts, replaceMade } from "./costs/render.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const PAGE = join(REPOSITORY, "docs/performance.md");

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** The commit of the checkout in short, with a mark when something that is measured was changed since. */
function readCommit(): string {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: REPOSITORY, encoding: "utf8" }).trim();
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no", "--", ":!docs");
    return git("rev-parse", "--short", "HEAD") + (changed === "" ? "" : " with changes");
  } catch {
    return "unknown"; // No git, or no checkout: an archive of the source.
  }
}

const at = new Date().toISOString();
const page = readFileSync(PAGE, "utf8");
const beforeMs = await calibrate();
say("a whole platform, transfers to another bank …");
const costs = await measurePlatform(say);
const floors = await measureFloors(say);
const calibration = calibrationOf(beforeMs, await calibrate());
const model = cpus()[0]?.model ?? "unknown";
const machine = `${cpus().length} cores of ${model}`;
const made = renderCosts({ costs, floors, calibration, commit: readCommit(), at, node: process.version, machine });
writeFileSync(PAGE, replaceMade(page, made));
say(`\n${made}\n\nWritten into docs/performance.md`);
process.exitCode = costs.findings.length === 0 && costs.errors + floors.errors === 0 ? 0 : 1;
