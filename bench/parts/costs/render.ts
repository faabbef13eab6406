import type { Calibration } from "../../scenario.ts";
import type { FloorRow, Floors } from "./floors.ts";
import { markdownTable } from "./markdown.ts";
import type { PlatformCosts } from "./measure.ts";
import { PART_NAMES, PARTS } from "./parts.ts";

export interface CostReport {
  costs: PlatformCosts;
  floors: Floors;
  calibration: Calibration;
  commit: string;
  /** RFC 3339. */
  at: string;
  node: string;
  machine: string;
}

const BEGIN = "<!-- Made by `npm run bench:costs`; do not edit. -->";
const END = "<!-- End of what was made. -->";
/** Columns in this order; every other process goes into the last. */
const COLUMNS = ["edge", "transfer", "ledger", "banking", "member", "broker", "bank"];
const OTHERS = "others";
const SUM = "all";
/** Kernel threads and interrupts take this much of a machine that nobody else uses. */
const QUIET_PERCENT = 10;

const columnOf = (process: string) => (COLUMNS.includes(process) ? process : OTHERS);
const us = (figure: number) => (figure < 0.5 ? "" : figure.toFixed(0));

/** Adds figures up by column, with their sum at the end. */
function row(figures: readonly (readonly [process: string, us: number])[]): Map<string, number> {
  const cells = new Map([...COLUMNS, OTHERS, SUM].map((name) => [name, 0]));
  for (const [process, figure] of figures) {
    const column = columnOf(process);
    cells.set(column, cells.get(column)! + figure);
    cells.set(SUM, cells.get(SUM)! + figure);
  }
  return cells;
}

/** CPU for one transfer, parts down and processes across: the columns and the rows add up. */
export function costTable({ cpuUs, parts }: Pick<PlatformCosts, "cpuUs" | "parts">): string {
  const names = [...COLUMNS, OTHERS, SUM];
  const lines: [string, Map<string, number>][] = PART_NAMES.map((part) => [
    PARTS[part],
    row(Object.entries(parts).map(([process, shares]) => [process, shares[part] ?? 0])),
  ]);
  const node = Object.entries(cpuUs).filter(([name]) => !name.startsWith("postgres"));
  const unprofiled = node.filter(([name]) => Object.keys(parts[name] ?? {}).length === 0);
  lines.push(["without a profile", row(unprofiled)]);
  lines.push(["**Node, together**", row(node)]);
  const postgres = Object.entries(cpuUs).filter(([name]) => name.startsWith("postgres"));
  lines.push([
    "**PostgreSQL**, by database",
    row(postgres.map(([name, figure]) => [name.split(":")[1] ?? "", figure])),
  ]);
  lines.push(["**all**", row(Object.entries(cpuUs).map(([name, figure]) => [name.split(":").at(-1)!, figure]))]);
  const filled = lines.filter(([, cells]) => cells.get(SUM)! >= 0.5);
  return markdownTable([
    ["us of CPU", ...names],
    ...filled.map(([name, cells]) => [name, ...names.map((column) => us(cells.get(column)!))]),
  ]);
}

/** How often a transfer needs a unit of a part: one request, one unary hop of its own, its messages. */
function perTransfer(unit: FloorRow["unit"], messages: number): number {
  return unit === "message" ? messages : 1;
}

export function floorTable(rows: readonly FloorRow[], messages: number): string {
  return markdownTable([
    ["part", "unit", "ours", "floor", "floor's", "times the floor", "in a transfer", "ours", "floor's"],
    ...rows.map(({ part, unit, oursUs, floor, floorUs, times }) => {
      const often = perTransfer(unit, messages);
      return [
        ...[part, unit, oursUs.toFixed(1), floor, floorUs.toFixed(1), times.toFixed(2)],
        ...[often.toFixed(often === 1 ? 0 : 1), us(oursUs * often), us(floorUs * often)],
      ];
    }),
  ]);
}

/** Everything between the marks. */
export function renderCosts(report: CostReport): string {
  const { costs, floors, calibration, commit, at, node, machine } = report;
  const total = Object.values(costs.cpuUs).reduce((sum, figure) => sum + figure, 0);
  const { factor, cpuMs } = calibration;
  const whole = (figure: number) => Math.round(figure).toLocaleString("en");
  const facts = [
    `Measured ${at.slice(0, 16).replace("T", " ")} UTC at commit \`${commit}\`, Node ${node}, ${machine}.`,
    `The calibration took ${cpuMs.toFixed(1)} ms, ${factor.toFixed(2)} of the reference: divide by that to compare with other days.`,
    `Transfers to another bank, closed loop, ${costs.inFlight} in flight: **${whole(costs.transfersPerSecond)} a second**, p50 ${whole(costs.p50Ms)} ms, p99 ${whole(costs.p99Ms)} ms; **${whole(total)} us of CPU for one**, ${whole(total / factor)} on the reference machine, the driver's ${whole(costs.driverCpuUs)} beside. A transfer puts ${costs.messages.toFixed(1)} messages on the bus.`,
    ...(costs.othersPercent < QUIET_PERCENT
      ? []
      : [`**The machine was not quiet:** ${whole(costs.othersPercent)} % of it went to processes of others.`]),
    ...(costs.findings.length === 0 ? [] : [`**The books did not hold:** ${costs.findings.join("; ")}`]),
    ...(costs.errors + floors.errors === 0 ? [] : [`**Errors:** ${costs.errors + floors.errors}.`]),
    ...floors.without.map((what) => `Left out: ${what}.`),
  ];
  return [
    BEGIN,
    facts.join(" "),
    "### What a transfer costs",
    costTable(costs),
    "### The floor beside each part",
    floorTable(floors.rows, costs.messages),
    END,
  ].join("\n\n");
}

/**
 * Puts what was made between the marks of a page.
 *
 * @throws Error when the page does not have each mark once, in order.
 */
export function replaceMade(page: string, made: string): string {
  const [before, rest, ...more] = page.split(BEGIN);
  const [, after, ...again] = rest?.split(END) ?? [];
  if (before === undefined || after === undefined || more.length + again.length > 0)
    throw new Error(`the page must have ${BEGIN} and ${END} once each`);
  return `${before}${made}${after}`;
}
