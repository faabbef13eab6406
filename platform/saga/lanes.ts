import type { SagaDefinition } from "./definition.ts";
import { dueAtMsOf, type Lane, type Saga } from "./saga.ts";

export type { Lane };

/** Index after the last step that runs side by side with this one; that of the next step when none does. */
export function groupEndOf<State>({ steps }: SagaDefinition<State>, index: number): number {
  const group = steps[index]?.group;
  let end = index + 1;
  if (group !== undefined) while (steps[end]?.group === group) end++;
  return end;
}

/** What a saga's facts about its one step at hand are as one of several. */
export function laneOf({ step, attempts, tries, tryingSinceMs, waiting }: Saga): Lane {
  return { step, attempts, tries, tryingSinceMs, waiting };
}

/** A saga that waits for several steps at once: for an operator when one of them does, else for what is due first. */
export function together<State>(saga: Saga<State>, unsorted: readonly Lane[]): Saga<State> {
  const lanes = unsorted.toSorted((a, b) => a.step - b.step);
  const parked = lanes.find(({ waiting }) => waiting.for === "operator");
  const shown = parked ?? lanes.reduce((first, lane) => (dueOf(lane) < dueOf(first) ? lane : first));
  const { failure, turningBack } = saga;
  return {
    ...{ ...saga, ...shown, lanes },
    status: parked !== undefined ? "parked" : turningBack ? "undoing" : "running",
    failure: parked?.waiting.for === "operator" ? (failure ?? parked.waiting.reason) : turningBack && failure,
  };
}

function dueOf({ waiting }: Lane): number {
  return dueAtMsOf({ waiting }) ?? Number.POSITIVE_INFINITY;
}
