import type { FaultsReport } from "./faults/run.ts";
import type { Proof } from "./main.ts";
import type { MatrixReport } from "./matrix/run.ts";
import type { PartOutcome } from "./part.ts";

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] => [
  `| ${head.join(" | ")} |`,
  `|${head.map(() => " --- |").join("")}`,
  ...rows.map((row) => `| ${row.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`),
];

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
const green = (is: boolean) => (is ? "green" : "**red**");

const when = ({ startedAt, commit }: PartOutcome) => `Begun ${startedAt} at commit ${commit}.`;

function renderMatrix(outcome: PartOutcome): string[] {
  const { report, green: ok } = outcome;
  const matrix = report as MatrixReport | undefined;
  if (matrix === undefined) return ["## Crash points", "", "The run came to no report."];
  const { points, windows } = matrix;
  const kills = points.map((point) => point.kills);
  const breaches = windows.flatMap(({ findings }) => findings);
  return [
    "## Crash points",
    "",
    `${green(ok)}: ${points.length} points in ${new Set(points.map(({ process }) => process)).size} processes, ` +
      `${sum(kills)} kills (each point ${Math.min(...kills)} to ${Math.max(...kills)} times) during ` +
      `${sum(windows.map(({ operations }) => operations))} operations. Everything was at rest ` +
      `${Math.round(Math.max(0, ...windows.map(({ restMs }) => restMs)) / 1_000)} s after the last kill at the latest. ${when(outcome)}`,
    "",
    "The points were found by recording which a process passes; each is killed (SIGKILL) under the load of 64 callers on 8 hot and 1,000 cold accounts, several processes at once, and started again by the launcher. After each window everything must end within 60 s, the books are checked by SQL of their own against the bank's records (I1, I4, I6), the clients' own log against what is there (I2), replays against their first answers (I3), and outboxes and consumer groups for what is left (I5). A kill counts only in a window in which all of that held and at least 500 operations were recorded.",
    "",
    ...(breaches.length === 0 ? [] : ["Breaches:", "", ...breaches.map((breach) => `- ${breach}`), ""]),
    ...table(
      ["Window", "Seconds", "Kills", "Operations", "At rest after", "Transfers checked", "Replays", "Invariants"],
      windows.map(({ seconds, kills: killed, operations, restMs, figures, findings }, index) => [
        ...[index + 1, seconds, killed, operations, `${(restMs / 1_000).toFixed(1)} s`],
        ...[figures.transfers ?? 0, figures.replays ?? 0, findings.length === 0 ? "hold" : "**breach**"],
      ]),
    ),
    "",
    ...table(
      ["Process", "Point", "Kills"],
      points.map(({ process, point, kills: killed }) => [process, point, killed]),
    ),
  ];
}

function renderFaults(outcome: PartOutcome): string[] {
  const { report, green: ok } = outcome;
  const faults = report as FaultsReport | undefined;
  if (faults === undefined) return ["## Faults", "", "The run came to no report."];
  return [
    "## Faults",
    "",
    `${green(ok)}: ${faults.faults.length} faults, ${sum(faults.faults.map(({ tests }) => tests.length))} tests. ${when(outcome)}`,
    "",
    ...table(
      ["#", "Fault", "Tests", "Seconds", ""],
      faults.faults.map(({ id, what, tests, green: good }) => [
        ...[id, what, tests.map(({ name }) => name).join("<br>") || "none ran"],
        ...[(sum(tests.map(({ ms }) => ms)) / 1_000).toFixed(1), green(good)],
      ]),
    ),
  ];
}

/** A value of a summary on one line; undefined for what is empty. */
function shown(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.length === 0 ? undefined : JSON.stringify(value);
  if (typeof value === "object" && value !== null)
    return Object.entries(value)
      .map(([name, count]) => `${name} ${String(count)}`)
      .join(", ");
  return value === undefined ? undefined : String(value);
}

function renderSimulation(outcome: PartOutcome): string[] {
  const { report, green: ok } = outcome;
  const facts = Object.entries((report ?? {}) as Record<string, unknown>).flatMap(([name, value]) => {
    const text = shown(value);
    return text === undefined ? [] : [[name, text]];
  });
  return [
    "## Random schedules",
    "",
    `${green(ok)}. One process, real PostgreSQL, the bus and the bank under a seeded scheduler; \`npm run simulate -- --seed N --verbose\` shows one again. ${when(outcome)}`,
    "",
    ...table(["", ""], facts),
  ];
}

/** The page docs/proof.md. */
export function renderProof({ form, seed, seconds, machine, parts }: Proof): string {
  const outcomes = Object.values(parts);
  const all = outcomes.every((part) => part.green);
  return `${[
    "# The proof",
    "",
    `<!-- Made by \`npm run prove\`; do not edit. -->`,
    "",
    `That no money is lost, doubled or invented: **${all ? "green" : "red"}**. How it is made: [proving.md](proving.md).`,
    "",
    ...table(
      ["", ""],
      [
        ["Date", outcomes.map(({ startedAt }) => startedAt).sort()[0] ?? ""],
        ["Commit", [...new Set(outcomes.map(({ commit }) => commit))].join(", ")],
        ["Seed", seed],
        ["Form", form === "full" ? "full length (`--full`)" : "one hour"],
        ["Duration", `${Math.round(seconds / 60)} min`],
        ["Machine", machine],
      ],
    ),
    "",
    ...(parts.matrix === undefined ? [] : [...renderMatrix(parts.matrix), ""]),
    ...(parts.faults === undefined ? [] : [...renderFaults(parts.faults), ""]),
    ...(parts.simulation === undefined ? [] : renderSimulation(parts.simulation)),
  ].join("\n")}\n`;
}
