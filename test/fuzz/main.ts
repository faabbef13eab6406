// `npm run fuzz`: schemathesis against a whole platform, by the document that its edge serves: every phase, every check,
// with good tokens. Fails on a 5xx, an undocumented status, an answer that breaks its schema, a request that is taken
// though the document forbids it (or refused by a rule that it does not tell), authentication that is not asked for,
// and when an operation was never called or was never let in.
import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { installWheel } from "../../bench/peers/install.ts";
import { Platform } from "../support/platform.ts";
import { prepareCallers } from "./callers.ts";
import { readReport, summaryOf } from "./report.ts";
import { runSchemathesis } from "./schemathesis.ts";

const HELP = `npm run fuzz -- --short       a few requests of each kind: 2 to 3 minutes
npm run fuzz                  more of them
  --max-examples N            requests that are made up for each operation and phase
  --seed N                    makes the same requests again
  --operation ID              this operation alone
`;
const REPOSITORY = resolve(import.meta.dirname, "../..");
const SHORT_EXAMPLES = 3;
const LONG_EXAMPLES = 50;

const { values } = parseArgs({
  options: {
    short: { type: "boolean" },
    help: { type: "boolean", short: "h" },
    seed: { type: "string", default: "1" },
    "max-examples": { type: "string" },
    operation: { type: "string" },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const maxExamples = values["max-examples"] ?? (values.short ? SHORT_EXAMPLES : LONG_EXAMPLES);
const folder = join(REPOSITORY, ".ferry", "fuzz");
const log = (line: string) => process.stdout.write(`${line}\n`);
const abort = new AbortController();
process.once("SIGINT", () => abort.abort());

const packages = join(folder, "packages");
const told = () => log("Fetching schemathesis …");
await installWheel({ source: import.meta.dirname, target: packages, signal: abort.signal, log: told });
const report = join(folder, "report");
rmSync(report, { recursive: true, force: true });
mkdirSync(report, { recursive: true });

log("Bringing a platform up …");
const platform = await Platform.start();
try {
  const callers = await prepareCallers(platform);
  const code = await runSchemathesis({
    ...{ packages, report, callers, signal: abort.signal },
    config: join(import.meta.dirname, "schemathesis.toml"),
    hooks: import.meta.dirname,
    edge: platform.edge,
    maxExamples: Number(maxExamples),
    seed: Number(values.seed),
    operation: values.operation,
  });
  const answer = await fetch(`${platform.edge}/openapi.json`);
  const summary = summaryOf(await answer.json(), await readReport(join(report, "events.ndjson")), values.operation);
  for (const line of summary.lines) log(line);
  log(`\n${summary.passed} passed, ${summary.failed} failed`);
  process.exitCode = code !== 0 || summary.failed > 0 || summary.passed === 0 ? 1 : 0;
} finally {
  await platform.stop();
}
