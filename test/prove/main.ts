// `npm run prove`: the crash-point matrix, the faults and the simulation, and a page that says how they came out.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { join, resolve } from "node:path";
import { HELP, PARTS, type PartName, type ProveOptions, readOptions } from "./options.ts";
import { type PartOutcome, runPart } from "./part.ts";
import { renderProof } from "./report.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
/** Left over for stopping and writing. */
const SPARE_MINUTES = 1;
const LEAST_MATRIX_MINUTES = 1;
/** How long faults last, and how many there are of each: see test/faults. */
const LENGTHS: Record<ProveOptions["form"], Record<string, string>> = {
  short: {},
  hour: { FERRY_FAULTS_HOUR: "1" },
  full: { FERRY_FAULTS_FULL: "1" },
};
const SEEDS = { short: 12, hour: 1_000, full: 1_000 } as const;

export interface Proof {
  form: ProveOptions["form"];
  seed: number;
  /** Of all parts together. */
  seconds: number;
  machine: string;
  parts: Partial<Record<PartName, PartOutcome>>;
}

function commitOf(): string {
  try {
    const git = (...args: string[]) => execFileSync("git", args, { cwd: REPOSITORY, encoding: "utf8" }).trim();
    const dirty = git("status", "--porcelain", "--untracked-files=no", "--", ":!docs") === "" ? "" : " and changes";
    return git("rev-parse", "--short=12", "HEAD") + dirty;
  } catch {
    return "unknown";
  }
}

function machineOf(): string {
  const all = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${all.length} cores (${all[0]?.model.trim() ?? "unknown"}), ${memory} GiB, ${type()} ${release()}, Node ${process.version}`;
}

function commandOf(part: PartName, options: ProveOptions, minutesLeft: number): string[] {
  const { form, seed } = options;
  switch (part) {
    case "simulation":
      return ["test/simulate/main.ts", "--seeds", String(SEEDS[form]), "--from", String(seed + 1)];
    case "faults":
      return ["test/prove/faults.ts", ...(form === "short" ? ["--short"] : [])];
    case "matrix": {
      const size = form === "short" ? ["--cold", "100", "--record", "8", "--rounds", "1"] : [];
      const minutes = form === "full" ? 600 : Math.max(LEAST_MATRIX_MINUTES, minutesLeft - SPARE_MINUTES);
      const least = form === "short" ? "0" : "5";
      return [
        "test/prove/matrix.ts",
        "--seed",
        String(seed),
        "--minutes",
        minutes.toFixed(2),
        "--least",
        least,
        ...size,
      ];
    }
    default:
      return part satisfies never;
  }
}

/** The last whole run in the folder. @throws Error when there is none of this form. */
function lastProof({ directory, form }: ProveOptions): Proof {
  const file = join(directory, "proof.json");
  const last = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Proof) : undefined;
  if (last === undefined || last.form !== form || PARTS.some((part) => last.parts[part]?.commit === undefined))
    throw new Error(`--again needs a whole run of the same form before it, in ${directory}`);
  return last;
}

const secondsOf = (parts: Proof["parts"]) => Object.values(parts).reduce((sum, { seconds }) => sum + seconds, 0);

async function prove(options: ProveOptions): Promise<boolean> {
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopping.abort());
  const { form, directory } = options;
  mkdirSync(directory, { recursive: true });
  const commit = commitOf();
  const proof: Proof = options.again
    ? lastProof(options)
    : { form, seed: options.seed, machine: machineOf(), seconds: 0, parts: {} };
  const { seed } = proof;
  console.log(`seed ${seed}, commit ${commit}, ${proof.machine}`);
  for (const part of options.parts) {
    if (stopping.signal.aborted) break;
    const { [part]: _, ...others } = proof.parts;
    const minutesLeft = options.minutes - secondsOf(others) / 60;
    const command = commandOf(part, { ...options, seed }, minutesLeft);
    console.log(`\n${part}: ${command.join(" ")}`);
    const outcome = await runPart({
      command,
      json: join(directory, `${part}.json`),
      environment: LENGTHS[form],
      say: (line) => console.log(`  ${line}`),
      signal: stopping.signal,
    });
    proof.parts[part] = { ...outcome, commit };
    proof.seconds = secondsOf(proof.parts);
    writeFileSync(join(directory, "proof.json"), JSON.stringify(proof, undefined, 1));
    console.log(`${part}: ${outcome.green ? "green" : "RED"} after ${outcome.seconds} s`);
  }
  const whole = PARTS.every((part) => proof.parts[part] !== undefined) && !stopping.signal.aborted;
  if (whole && form !== "short") writeFileSync(join(REPOSITORY, "docs", "proof.md"), renderProof(proof));
  const outcomes = Object.entries(proof.parts);
  const green = !stopping.signal.aborted && outcomes.every(([, outcome]) => outcome.green);
  const each = outcomes.map(([part, outcome]) => `${part} ${outcome.green ? "green" : "RED"}`);
  console.log(
    `\n${green ? "GREEN" : "RED"}: ${each.join(", ")}; seed ${seed}, ${proof.seconds} s, ${directory}/proof.json`,
  );
  return green;
}

try {
  const options = readOptions(process.argv.slice(2), Date.now());
  if (options.help) console.log(HELP);
  else process.exitCode = (await prove(options)) ? 0 : 1;
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  process.exitCode = 2;
}
