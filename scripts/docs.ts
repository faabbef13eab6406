// `npm run docs`: makes the reference pages that code can make: docs/configuration.md from the
// variables of every process, docs/errors.md from the catalogue in the contracts, docs/metrics.md from
// what the rooms with metrics say. With --check it fails when a page is not what the code says.
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Environment, Variable } from "@ferry/platform/config";
import { catalogue } from "@ferry/platform/errors";
import { knownMetrics } from "@ferry/platform/telemetry";
import "@ferry/platform/audit";
import "@ferry/platform/lifecycle";
import "@ferry/platform/saga";
import "@ferry/platform/two-phase";
import "@ferry/platform/upstream";
import { edgeVariables } from "../edge/config.ts";
import "../edge/composition/metrics.ts";
import "../edge/metrics.ts";
import { variables as bankVariables } from "../local/bank/config.ts";
import { upVariables } from "../local/up/config.ts";
import { bankingVariables } from "../services/banking/config.ts";
import { ledgerVariables } from "../services/ledger/config.ts";
import { memberVariables } from "../services/member/config.ts";
import { notifyVariables } from "../services/notify/config.ts";
import "../services/notify/metrics.ts";
import { paymentVariables } from "../services/payment/config.ts";
import { transferVariables } from "../services/transfer/config.ts";

const root = join(import.meta.dirname, "..");
const MADE = "<!-- Made by `npm run docs`; do not edit. -->";
/** Keys and secrets have no default in any mode: the launcher makes them once, in the data folder. */
const MADE_BY_START = "(made by `npm start`)";

type Variables = Record<string, Pick<Variable<unknown>, "env" | "help" | "fallback" | "localFallback">>;

const PROCESSES: Record<string, Variables> = {
  "npm start": upVariables,
  member: memberVariables,
  ledger: ledgerVariables,
  banking: bankingVariables,
  transfer: transferVariables,
  payment: paymentVariables,
  notify: notifyVariables,
  edge: edgeVariables,
  bank: bankVariables,
};

/** What holds without the variable, in a mode: paths from the repository on, and no commit of this machine. */
function shown(fallback: Variable<unknown>["fallback"], environment: Environment): string {
  const value = typeof fallback === "function" ? fallback(environment) : fallback;
  if (value === undefined) return "";
  if (/^[0-9a-f]{40}$|^\d{4}-\d\d-\d\dT/.test(value)) return "";
  if (value.startsWith(root)) return `\`${relative(root, value)}\``;
  if (/^postgres:/.test(value)) return "(the local one)";
  return value === "" ? "" : `\`${value}\``;
}

function configurationPage(): string {
  // The same name may mean another thing to another process: then it has a row for each.
  const rows = new Map<string, { env: string; cells: string; processes: string[] }>();
  for (const [process, variables] of Object.entries(PROCESSES))
    for (const variable of Object.values(variables)) {
      const isMade = variable.fallback === undefined && variable.localFallback === undefined;
      const local = isMade ? MADE_BY_START : shown(variable.fallback ?? variable.localFallback, {});
      const production =
        variable.fallback === undefined ? "(required)" : shown(variable.fallback, { FERRY_ENV: "production" });
      const cells = `${variable.help} | ${local} | ${production}`;
      const key = `${variable.env} ${cells}`;
      const row = rows.get(key) ?? { env: variable.env, cells, processes: [] };
      row.processes.push(process);
      rows.set(key, row);
    }
  const lines = [...rows.values()]
    .sort((a, b) => a.env.localeCompare(b.env))
    .map(({ env, cells, processes }) => `| \`${env}\` | ${processes.join(", ")} | ${cells} |`);
  return [
    "# Configuration",
    "",
    MADE,
    "",
    "Environment variables, read once at the start. A bad or missing one stops the process, and all of them are named at once. `FERRY_ENV` is `local` (default) or `production`; what is required in production has no default there. An empty cell means none. The variables of the development broker are in [its README](../local/broker/README.md).",
    "",
    "| Variable | Read by | What | Local default | Production default |",
    "| --- | --- | --- | --- | --- |",
    ...lines,
    "",
  ].join("\n");
}

function errorsPage(): string {
  const contract = readFileSync(join(root, "proto/ferry/errors/v1/errors.proto"), "utf8");
  const comments = new Map(
    [...contract.matchAll(/((?: {2}\/\/[^\n]*\n)+) {2}REASON_(\w+) = \d+/g)].map((match) => [
      match[2],
      match[1]!.replaceAll(/\s*\/\/ ?/g, " ").trim(),
    ]),
  );
  const lines = [...catalogue.values()].map(
    ({ reason, httpStatus, grpcCode, retryable }) =>
      `| \`${reason}\` | ${httpStatus} | ${grpcCode} | ${retryable ? "yes" : ""} | ${comments.get(reason) ?? ""} |`,
  );
  return [
    "# Errors",
    "",
    MADE,
    "",
    "Every failure has one reason of this closed catalogue (`proto/ferry/errors/v1/errors.proto`): `error.code` of the REST envelope, `ErrorInfo.reason` of gRPC, `failure.code` of a transfer.",
    "",
    "| Reason | HTTP | gRPC | Retryable | Meaning |",
    "| --- | --- | --- | --- | --- |",
    ...lines,
    "",
  ].join("\n");
}

/** Every room that has metrics is loaded by what this script imports; the list is what they have said of themselves. */
function metricsPage(): string {
  const lines = knownMetrics().map(
    ({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.join(", ")} | ${help} |`,
  );
  return [
    "# Metrics",
    "",
    MADE,
    "",
    "Every process answers `GET /metrics` on its probes' port (its own port + 1,000) in Prometheus's text format. Values are read when they are asked for, from counts that the parts keep anyway: what is counted costs the work an addition. A process shows those of the parts that it has.",
    "",
    "Which of them are worth an alarm, and what to do then: [production.md](production.md#every-day).",
    "",
    "| Metric | Type | Labels | Meaning |",
    "| --- | --- | --- | --- |",
    ...lines,
    "",
  ].join("\n");
}

/** The pages by file, as they should be. */
export const pages: Record<string, string> = {
  "docs/configuration.md": configurationPage(),
  "docs/errors.md": errorsPage(),
  "docs/metrics.md": metricsPage(),
};

if (import.meta.main)
  for (const [file, text] of Object.entries(pages)) {
    const path = join(root, file);
    if (!process.argv.includes("--check")) writeFileSync(path, text);
    else if (readFileSync(path, "utf8") !== text) {
      console.error(`${file} is not what the code says: run "npm run docs"`);
      process.exitCode = 1;
    }
  }
