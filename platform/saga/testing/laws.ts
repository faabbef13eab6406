import assert from "node:assert/strict";
import type { SagaDefinition } from "../index.ts";
import { checkExamples, type Examples } from "./examples.ts";
import { type Fault, faultsOf, nameOf, voidFaultsOf } from "./faults.ts";
import { play, type Run } from "./run.ts";

/** What came of all runs of a definition: for whoever wants to see that they were not vacuous. */
export interface LawReport {
  runs: number;
  completed: number;
  undone: number;
  /** Runs that were parked on their way, and ended once an operator had resumed or undone them. */
  parked: number;
  /** Runs whose pivot an operator had voided, and that are undone because of it. */
  voided: number;
}

/**
 * Runs a definition with everything that can go wrong, without any I/O, and holds the laws of sagas:
 * it ends, or parks and ends once resumed; at its end all of it is done, or all that has an undo is undone and its
 * pivot is not done, also when commands arrive after the end; nothing is undone once the pivot is done; the row
 * knows of a command before it leaves; commands before the pivot expire, and no other does; the same step
 * asks the same each time; an end never changes; no second child is begun while one is under way, and one that is not
 * needed any more is canceled.
 *
 * Runs: none, each, and pairs of the faults in `faults.ts` (a refusal, a time-out, an unavailable, an unknown
 * outcome, a duplicate, a late reply, …) at each step, its undo and its inquiry; and each fault with the member
 * canceling at each point, and with a server that does not know its version at each point, followed by one that
 * does; and, where the pivot can be voided, an operator who undoes what has stopped there, with commands that were
 * lost, are late or come after the end, and everything that can go wrong with the void; in every state that is given. A table of four steps takes 3,000 runs and a second.
 *
 * @throws Error that names the faults and the law.
 */
export function checkDefinition<State>(definition: SagaDefinition<State>, examples: Examples<State>): LawReport {
  checkExamples(definition, examples);
  const faults = faultsOf(definition, examples);
  const report: LawReport = { runs: 0, completed: 0, undone: 0, parked: 0, voided: 0 };
  const bitten = new Set<Fault>();

  function hold(run: Run<State>): number {
    try {
      const { saga, parked, happenings, bitten: bites } = play(run);
      report.runs++;
      report[saga.status === "completed" ? "completed" : "undone"]++;
      if (parked > 0) report.parked++;
      if (run.undoes && saga.status === "undone") report.voided++;
      for (const [index, fault] of run.faults.entries()) if (bites[index]) bitten.add(fault);
      return happenings;
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(`saga ${definition.name}, ${describe(run)}: ${what}`, { cause: error });
    }
  }

  const sideBySide = definition.steps.some(({ group }) => group !== undefined);
  for (const state of examples.states)
    for (const reversed of sideBySide ? [false, true] : [false]) {
      const base = { definition, examples, state, reversed };
      for (const fault of [undefined, ...faults]) {
        const one = fault === undefined ? [] : [fault];
        const happenings = hold({ ...base, faults: one });
        for (let point = 0; point < Math.min(happenings, MAX_POINTS); point++) {
          hold({ ...base, faults: one, cancelAt: point });
          hold({ ...base, faults: one, parkAt: point });
        }
      }
      if (!reversed)
        for (const each of voidFaultsOf(definition, examples)) hold({ ...base, faults: each, undoes: true });
      for (const [index, first] of faults.entries())
        for (const second of faults.slice(index + 1))
          if (!reversed && areNear(definition, first, second)) hold({ ...base, faults: [first, second] });
    }
  const idle = faults.filter((fault) => !bitten.has(fault));
  assert.deepEqual(idle.map(nameOf), [], "faults that befell nothing: the examples do not lead there");
  return report;
}

/**
 * Whether two faults are tried together: those of an undo or an inquiry with every other, and those of the
 * same step or of neighbours. What lies further apart meets no more than the one after the other.
 */
function areNear<State>({ steps }: SagaDefinition<State>, first: Fault, second: Fault): boolean {
  if (first.role !== "ask" || second.role !== "ask") return true;
  const [one, other] = [first, second].map((fault) => steps.findIndex(({ name }) => name === fault.step));
  return Math.abs((one ?? 0) - (other ?? 0)) <= 1;
}

/** A run that goes on for longer only repeats itself. */
const MAX_POINTS = 40;

function describe<State>({ faults, cancelAt, parkAt, undoes, reversed, state }: Run<State>): string {
  const what = faults.length === 0 ? "nothing wrong" : faults.map(nameOf).join(" and ");
  const canceled = cancelAt === undefined ? "" : `, canceled at ${cancelAt}`;
  const stopped = parkAt === undefined ? "" : `, parked and resumed at ${parkAt}`;
  const known = JSON.stringify(state, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
  const undone = undoes ? ", undone by an operator" : "";
  return `${what}${canceled}${stopped}${undone}${reversed ? ", in reverse" : ""}, from ${known}`;
}
