import type { Role, SagaDefinition } from "../index.ts";
import { type Examples, rolesOf } from "./examples.ts";

/**
 * What goes wrong with a command.
 *
 * refused, unavailable: that is the reply. unknown-undone, unknown-done: the reply is that nobody knows; it was
 * not done, or it was. silent: it is lost. silent-done: it is done, and the reply is lost. duplicate: the reply
 * comes twice. late: it reaches its receiver after its time-out. last: it does so after the saga's end.
 * Of a child: refused: it is undone. unavailable: it is undone so that another is begun, and its end is told again later. slow: it takes longer than a look. untold: its end is only seen by looking.
 * past-pivot: it is slow, and cannot be taken back any more.
 */
export type FaultKind =
  | "refused"
  | "unavailable"
  | "unknown-undone"
  | "unknown-done"
  | "silent"
  | "silent-done"
  | "duplicate"
  | "late"
  | "last"
  | "slow"
  | "untold"
  | "past-pivot";

export interface Fault {
  step: string;
  role: Role;
  kind: FaultKind;
  /** How many commands of this role it befalls. */
  times: number;
}

export function nameOf({ step, role, kind, times }: Fault): string {
  return `${step}:${role} ${kind}${times === 1 ? "" : " always"}`;
}

/** More often than any run sends a command. */
const ALWAYS = 1_000_000;
const LOST: FaultKind[] = ["silent", "silent-done", "late"];
const ONCE: FaultKind[] = ["duplicate", "last"];
const CHILD: FaultKind[] = ["refused", "slow", "untold", "duplicate", "past-pivot"];

/** All faults that a definition can meet, as its examples say. */
export function faultsOf<State>(definition: SagaDefinition<State>, { steps }: Examples<State>): Fault[] {
  const faults: Fault[] = [];
  for (const step of definition.steps) {
    const { name } = step;
    if (step.child !== undefined) faults.push(...childFaults(name, steps[name]?.child?.unavailable !== undefined));
    for (const role of rolesOf(step)) {
      const replies = steps[name]?.[role];
      const add = (kinds: readonly FaultKind[], ...counts: number[]) => {
        for (const kind of kinds) for (const times of counts) faults.push({ step: name, role, kind, times });
      };
      if (replies?.refused !== "never") add(["refused"], 1);
      if (replies?.unavailable !== "never") add(["unavailable"], 1, ALWAYS);
      if (replies?.unknown !== undefined && role !== "undo") add(["unknown-undone", "unknown-done"], 1, ALWAYS);
      add(role === "inquire" ? ["silent"] : LOST, 1, ALWAYS);
      if (role !== "inquire") add(ONCE, 1);
    }
  }
  return faults;
}

function childFaults(step: string, mayBeFollowed: boolean): Fault[] {
  const kinds: FaultKind[] = mayBeFollowed ? [...CHILD, "unavailable"] : CHILD;
  return kinds.map((kind) => ({ step, role: "ask", kind, times: 1 }));
}
