// `npm run prove:mutations`: shows that the proof can fail. Each mechanism is turned off from outside, and the
// cheapest part of the proof that must notice is run: it has to go red, and without the mutation it has to be green.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { expectPatchesFit } from "../support/patches.ts";
import { MUTATIONS, type Mutation } from "./mutations/list.ts";

const HELP = `npm run prove:mutations [-- options]   turns off ${MUTATIONS.length} mechanisms, one at a time: each must make the proof red

  --only NAME   one of ${MUTATIONS.map(({ name }) => name).join(", ")}
  --help        this text`;

const REPOSITORY = resolve(import.meta.dirname, "../..");

interface Run {
  /** Undefined: the test did not run at all. */
  green: boolean | undefined;
  output: string;
  /** Whether the mutated module was loaded. */
  applied: boolean;
}

function runTest({ test, name }: Mutation, mutated: boolean): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), "ferry-mutation-"));
  const marker = join(folder, "applied");
  const hook = pathToFileURL(join(import.meta.dirname, "mutations", "hook.ts")).href;
  const environment = { NODE_OPTIONS: `--import=${hook}`, FERRY_MUTATION: name, FERRY_MUTATION_APPLIED: marker };
  const child = spawn(process.execPath, [join(import.meta.dirname, "mutations", "run-test.ts"), test.file, test.name], {
    cwd: REPOSITORY,
    env: { ...process.env, ...(mutated ? environment : {}) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (output += bytes));
  return new Promise((done) => {
    child.once("close", (code) => {
      const applied = existsSync(marker);
      rmSync(folder, { recursive: true, force: true });
      done({ green: code === 0 ? true : code === 1 ? false : undefined, output: output.trim(), applied });
    });
  });
}

/** What is wrong with a mutation's two runs; undefined when the proof noticed it. */
function judge(control: Run, mutated: Run): string | undefined {
  if (control.green !== true) return `without the mutation the test is not green: ${control.output}`;
  if (!mutated.applied) return "the mutation was never loaded";
  if (mutated.green === undefined) return `the test did not run: ${mutated.output}`;
  return mutated.green ? "THE PROOF STAYED GREEN" : undefined;
}

const { values } = parseArgs({ options: { only: { type: "string" }, help: { type: "boolean", default: false } } });
const chosen = MUTATIONS.filter(({ name }) => values.only === undefined || values.only === name);
if (values.help) console.log(HELP);
else if (chosen.length === 0) {
  console.error(`there is no mutation ${values.only}\n\n${HELP}`);
  process.exitCode = 2;
} else {
  expectPatchesFit(chosen.map(({ patch }) => patch));
  let wrong = 0;
  for (const mutation of chosen) {
    const control = await runTest(mutation, false);
    const mutated = await runTest(mutation, true);
    const failure = judge(control, mutated);
    if (failure !== undefined) wrong++;
    console.log(`${failure === undefined ? "ok" : "FAILED"}  ${mutation.name}: ${mutation.what}`);
    console.log(failure === undefined ? `    red as it must be: ${mutated.output.split("\n")[0]}` : `    ${failure}`);
  }
  console.log(`${chosen.length - wrong} of ${chosen.length} mutations make the proof red`);
  process.exitCode = wrong === 0 ? 0 : 1;
}
