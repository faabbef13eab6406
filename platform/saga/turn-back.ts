import type { SagaFailure } from "./definition.ts";
import { groupEndOf, type Lane, laneOf, together } from "./lanes.ts";
import {
  type ChildOrder,
  type Decision,
  enterStep,
  movedTo,
  recorded,
  send,
  stepAt,
  type Turn,
  withRecord,
} from "./moves.ts";

/** The step at hand is at its end: what runs beside it is waited for; then the saga goes on, or back when it has failed. */
export function leave<State>(turn: Turn<State>): Decision<State> {
  const { definition, saga, others = [] } = turn;
  if (others.length > 0) return { saga: together(saga, others), commands: [] };
  const end = groupEndOf(definition, saga.step);
  return saga.turningBack ? undoFrom(turn, end - 1) : enterStep(turn, end);
}

/** Takes back the last step, from this index down, that may have had an effect; ends the saga when there is none. */
export function undoFrom<State>({ definition, at, saga: from }: Turn<State>, index: number): Decision<State> {
  const { turningBack: _, ...saga } = from;
  const turn = { definition, saga, at };
  for (let candidate = index; candidate >= 0; candidate--) {
    const status = saga.steps[candidate]?.status;
    const mayHaveEffect = status === "done" || status === "unknown" || status === "skipped";
    if (definition.steps[candidate]?.undo !== undefined && mayHaveEffect)
      return send({ ...turn, saga: movedTo(turn, candidate) }, "undo");
  }
  return { saga: { ...saga, status: "undone", waiting: { for: "nothing" } }, commands: [] };
}

/**
 * Turns back: the step at hand has failed, and what was done before it is taken back in reverse. What
 * runs beside it is let go first.
 *
 * @param withoutEffect Whether it is sure that the step at hand did nothing. If not, it is undone too.
 */
export function turnBack<State>(turn: Turn<State>, failure: SagaFailure, withoutEffect: boolean): Decision<State> {
  const undoneToo = !withoutEffect && stepAt(turn).undo !== undefined;
  const failed = withRecord(turn, { status: undoneToo ? "unknown" : "failed", endedAtMs: turn.at.nowMs });
  if (turn.saga.turningBack) return leave(failed); // for the first cause, and the others were let go then
  return letGo({ ...failed, saga: { ...failed.saga, failure, turningBack: true } }, failure);
}

/** Turns back whatever is at hand: one step, or several side by side, or another saga that it waits for. */
export function turnAllBack<State>(turn: Turn<State>, failure: SagaFailure, withoutEffect: boolean): Decision<State> {
  const { lanes, ...saga } = turn.saga;
  const waitsForChild = stepAt(turn).child !== undefined && saga.steps[saga.step]?.childId !== undefined;
  if (lanes === undefined && !waitsForChild) return turnBack(turn, failure, withoutEffect);
  const others = (lanes ?? [laneOf(saga)]).map((lane) => withoutOperator(turn, lane));
  const cause = saga.turningBack && saga.failure !== undefined ? saga.failure : failure;
  return letGo({ ...turn, saga: { ...saga, failure: cause, turningBack: true }, others }, cause);
}

/** A step that waited for the operator who turns it back waits no more: it is undone as if nobody knew its outcome. */
function withoutOperator({ at }: Turn<unknown>, lane: Lane): Lane {
  return lane.waiting.for === "operator"
    ? { ...lane, waiting: { for: "pause", role: lane.waiting.role, dueAtMs: at.nowMs } }
    : lane;
}

/** Lets go what runs beside the step at hand: children are canceled, pauses end, and commands under way are waited for. */
function letGo<State>(turn: Turn<State>, failure: SagaFailure): Decision<State> {
  const { definition, at, others = [] } = turn;
  let { saga } = turn;
  const open: Lane[] = [];
  const children: ChildOrder<State>[] = [];
  for (const lane of others) {
    const { undo, child, name = "", timeoutMs = 0 } = definition.steps[lane.step] ?? {};
    const { childId } = saga.steps[lane.step] ?? {};
    if (child !== undefined && childId !== undefined) {
      children.push({ kind: "cancel", id: childId, step: name, failure });
      open.push({ ...lane, waiting: { for: "reply", role: "ask", dueAtMs: at.nowMs + timeoutMs } });
    } else if (lane.waiting.for === "pause") {
      const status = undo === undefined ? "failed" : "unknown";
      saga = { ...saga, steps: recorded(saga, { status, endedAtMs: at.nowMs }, lane.step) };
    } else open.push(lane);
  }
  const left = leave({ ...turn, saga, others: open });
  return children.length === 0 ? left : { ...left, children: [...(left.children ?? []), ...children] };
}
