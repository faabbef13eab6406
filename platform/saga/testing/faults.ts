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

/**
 * What an operator's undo of a pivot that has stopped can meet: first something that stops it there, with or
 * without a command that is late; then, at the void itself, anything.
 */
export function voidFaultsOf<State>({ steps }: SagaDefinition<State>, { steps: examples }: Examples<State>): Fault[][] {
  const pivot = steps.find((step) => step.void !== undefined);
  if (pivot === undefined) return [];
  const { name: step } = pivot;
  const at = (role: Role, times: number) => (kind: FaultKind) => ({ step, role, kind, times });
  const stops = [...(["silent", "silent-done", "late"] as const).map(at("ask", ALWAYS))];
  if (examples[step]?.ask?.unknown !== undefined)
    stops.push(...(["unknown-undone", "unknown-done"] as const).map(at("ask", ALWAYS)));
  const delayed = (["late", "last"] as const).map(at("ask", 1));
  const kinds: FaultKind[] = [...LOST, "duplicate", "last"];
  if (examples[step]?.void?.unavailable !== "never") kinds.push("unavailable");
  if (examples[step]?.void?.unknown !== undefined) kinds.push("unknown-undone", "unknown-done");
  const voids = kinds.flatMap((kind) => [at("void", 1)(kind), at("void", ALWAYS)(kind)]);
  // The inquiry is kept from finding out by itself, so that the saga stops.
  const silent =
    pivot.whenUnknown === undefined || typeof pivot.whenUnknown === "string" ? [] : [at("inquire", ALWAYS)("silent")];
  return stops.flatMap((stop) =>
    [[], ...delayed.map((each) => [each])].flatMap((first) =>
      [[], ...voids.map((each) => [each])].map((last) => [...first, stop, ...silent, ...last]),
    ),
  );
}

/** All faults that a definition can meet on its way, as its examples say. */
export function faultsOf<State>(definition: SagaDefinition<State>, { steps }: Examples<State>): Fault[] {
  const faults: Fault[] = [];
  for (const step of definition.steps) {
    const { name } = step;
    if (step.child !== undefined) faults.push(...childFaults(name, steps[name]?.child?.unavailable !== undefined));
    for (const role of rolesOf(step)) {
      if (role === "void") continue; // Only an operator sends it: see voidFaultsOf.
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
