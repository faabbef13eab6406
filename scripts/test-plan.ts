// Which test files run side by side, and in which order.
import { availableParallelism } from "node:os";
import { relative } from "node:path";

/** Tests without I/O, tests with it, and tests that bring a whole platform up. */
export type Kind = "unit" | "int" | "flow";
export const KINDS: readonly Kind[] = ["unit", "int", "flow"];

export function kindOf(path: string): Kind {
  if (path.endsWith(".long.ts")) return "flow"; // Of the proof alone: see test/faults.
  const infix = /\.(int|flow)\.test\.ts$/.exec(path)?.[1];
  return infix === undefined ? "unit" : (infix as Kind);
}

/** Files that run side by side. */
export interface Group {
  name: string;
  files: readonly string[];
  atOnce: number;
  /** For one file: one that hangs must not eat the whole run's ten minutes. */
  timeoutMs: number;
}

/** Several times as long as the longest takes on a slow machine. */
const TEST_TIMEOUT_MS = 300_000;
const FLOW_TIMEOUT_MS = 600_000;
/** Many tests wait rather than work: one more than there are processors keeps these busy. */
const MOST_AT_ONCE = 6;
/** A platform is ten processes, and takes a gigabyte. */
const MOST_FLOWS_AT_ONCE = 3;

/** Flows that have the machine to themselves: beside another platform they would tell of that one. */
export const ALONE: readonly string[] = [
  "test/prove/prove.flow.test.ts", // As many kills as there is time for, each with a new start of a process.
  "test/faults/processes.flow.test.ts", // Callers notice a frozen peer within 4 s, and all serve within 10 s.
  "test/faults/rolling.flow.test.ts", // A dozen processes under load, of which some restart, and no call may fail.
  "test/faults/overload.long.ts", // What the platform can carry, and three times as much.
  "test/flows/start.flow.test.ts", // Memory, and processor time while nothing happens.
];

/**
 * What takes longest, the longest first: begun early, it does not stand alone at the end. Each run tells what took
 * longest in it; what is not named here is short.
 */
export const LONG: readonly string[] = [
  "test/contract/bus.int.test.ts",
  "services/ledger/sharded-crashes.int.test.ts",
  "test/siege/siege.int.test.ts",
  "platform/two-phase/coordinator.int.test.ts",
  "platform/events/kafka-bus.int.test.ts",
  "test/simulate/simulate.int.test.ts",
  "test/faults/groups.int.test.ts",
  "test/contract/conformance/conformance.int.test.ts",
  "services/banking/refunds.int.test.ts",
  "test/faults/unknown-outcome.int.test.ts",
  "test/faults/network.int.test.ts",
  "platform/saga/whole-way.int.test.ts",
  "bench/parts/parts.int.test.ts",
  "test/simulate/bank.int.test.ts",
  "test/faults/any-order.flow.test.ts",
  "test/faults/kill.flow.test.ts",
  "test/flows/payments.flow.test.ts",
  "test/flows/outcomes.flow.test.ts",
  "test/flows/bench.flow.test.ts",
  "test/flows/ledger-shards.flow.test.ts",
  "test/flows/auditor.flow.test.ts",
  "test/flows/load.flow.test.ts",
  "test/flows/batches.flow.test.ts",
  "test/flows/webhooks.flow.test.ts",
  "test/flows/own-backing.flow.test.ts",
];

/** A number for the order within a kind: files of the list by their place in it, all others after them. */
function placeOf(name: string): number {
  const index = LONG.indexOf(name);
  return index === -1 ? LONG.length : index;
}

/**
 * Parts test files into groups that run one after another: unit tests come first, as they are quick, and what they
 * find explains what follows.
 *
 * @param files Absolute paths.
 * @param root The repository.
 */
export function planOf(files: readonly string[], root: string, cores = availableParallelism()): Group[] {
  const named = files.map((file) => ({ file, name: relative(root, file).replaceAll("\\", "/"), kind: kindOf(file) }));
  const filesOf = (kind: Kind, isWanted: (name: string) => boolean = () => true) =>
    named
      .filter((one) => one.kind === kind && isWanted(one.name))
      .sort((one, other) => placeOf(one.name) - placeOf(other.name))
      .map(({ file }) => file);
  const isAlone = (name: string) => ALONE.includes(name);
  const groups: Group[] = [
    {
      name: "unit and int",
      files: [...filesOf("unit"), ...filesOf("int")],
      atOnce: Math.min(cores + 1, MOST_AT_ONCE),
      timeoutMs: TEST_TIMEOUT_MS,
    },
    {
      name: "flows side by side",
      files: filesOf("flow", (name) => !isAlone(name)),
      atOnce: Math.min(cores, MOST_FLOWS_AT_ONCE),
      timeoutMs: FLOW_TIMEOUT_MS,
    },
    { name: "flows alone", files: filesOf("flow", isAlone), atOnce: 1, timeoutMs: FLOW_TIMEOUT_MS },
  ];
  return groups.filter((group) => group.files.length > 0);
}
