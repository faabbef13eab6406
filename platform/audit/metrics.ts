import type { Queryable } from "@ferry/platform/db";
import { counter, gauge, removerOf } from "@ferry/platform/telemetry";
import { countOpen } from "./store.ts";

/** What an auditor has done since its process started. */
export interface CheckFigures {
  rounds: number;
  rows: number;
  failures: number;
  breaches: number;
  lagMs: number | undefined;
  /** When the last round ended, Unix time in milliseconds. */
  roundAtMs: number | undefined;
}

export function newFigures(): CheckFigures {
  return { rounds: 0, rows: 0, failures: 0, breaches: 0, lagMs: undefined, roundAtMs: undefined };
}

const labels = ["service", "check"] as const;
const open = gauge(
  "ferry_audit_breaches",
  "Breaches that still hold and that nobody has acknowledged, as the service's database has them. Anything but 0 is an alarm.",
  labels,
);
const found = counter("ferry_audit_breaches_found_total", "Breaches that this process was the first to find.", labels);
const rounds = counter("ferry_audit_rounds_total", "Rounds of the auditor's checks in this process.", labels);
const failures = counter("ferry_audit_round_failures_total", "Rounds that could not be finished.", labels);
const rows = counter("ferry_audit_rows_total", "Rows that the checks looked at.", labels);
const lag = gauge(
  "ferry_audit_lag_seconds",
  "How far behind the present a check is; only in the process that runs it, and not of sweeps.",
  labels,
);

/** Shows an auditor in the metrics. @returns takes it out again. */
export function showAuditor(
  service: string,
  db: Queryable,
  figures: ReadonlyMap<string, CheckFigures>,
  isRunning: () => boolean,
): () => void {
  const ofEach = (read: (one: CheckFigures) => number | undefined) => () =>
    [...figures].flatMap(([check, one]) => {
      const value = read(one);
      return value === undefined ? [] : [{ labels: { service, check }, value }];
    });
  const removals = [
    open.from(async () => {
      const counts = await countOpen(db);
      return [...figures.keys()].map((check) => ({
        labels: { service, check },
        value: Number(counts.get(check) ?? 0n),
      }));
    }),
    found.from(ofEach(({ breaches }) => breaches)),
    rounds.from(ofEach((one) => one.rounds)),
    failures.from(ofEach((one) => one.failures)),
    rows.from(ofEach((one) => one.rows)),
    lag.from(ofEach(({ lagMs }) => (isRunning() && lagMs !== undefined ? lagMs / 1_000 : undefined))),
  ];
  return removerOf(removals);
}
