import { FerryError } from "@ferry/platform/errors";
import { inEachLane, inLane } from "./in-lanes.ts";
import { type Decision, phaseOf, send, stepAt, type Turn, withRecord } from "./moves.ts";
import { hasEnded, type Waiting } from "./saga.ts";
import { leave, turnAllBack, turnBack, undoFrom } from "./turn-back.ts";

/**
 * Decides what an operator wants of a parked saga.
 *
 * @throws FerryError SAGA_NOT_PARKED; INVALID_REQUEST for what would break what the saga stands on;
 * STEP_OUTCOME_UNKNOWN to undo a pivot that cannot be voided.
 */
export function onOperator<State>(turn: Turn<State>, action: "resume" | "undo" | "skip"): Decision<State> {
  const { saga } = turn;
  if (saga.waiting.for !== "operator")
    throw new FerryError("SAGA_NOT_PARKED", `the saga is ${hasEnded(saga) ? "at its end" : "under way"}, not parked`);
  const decision = operated(turn, saga.waiting, action);
  return decision ?? { saga, commands: [] };
}

function operated<State>(turn: Turn<State>, waiting: ForOperator, action: "resume" | "undo" | "skip") {
  switch (action) {
    case "resume":
      return inEachLane(turn, resumeStep);
    case "undo":
      return onOperatorUndo(turn, waiting);
    case "skip":
      return inLane(turn, stepAt(turn).name, skipStep);
    default:
      return action satisfies never;
  }
}

function resumeStep<State>(turn: Turn<State>): Decision<State> | undefined {
  const { waiting, turningBack } = turn.saga;
  if (waiting.for !== "operator") return undefined;
  // What runs beside it has failed meanwhile: it is not asked once more, only to be undone.
  if (turningBack && stepAt(turn).child === undefined) return turnBack(turn, waiting.reason, false);
  return send(tryingAnew(turn), waiting.role);
}

/**
 * Whether an operator is the one who finds out about the step at hand, since it must not be asked again.
 *
 * Elsewhere a step before the pivot is not skipped. What comes later stands on it: a payment without its
 * hold would have no money behind it. And there is no need to: its receiver knows the command by its key,
 * so that who is sure that it was done resumes, and gets the receiver's word for it.
 */
function isOperatorsToFindOut<State>(turn: Turn<State>): boolean {
  return stepAt(turn).whenUnknown === "park" && turn.saga.steps[turn.saga.step]?.status === "unknown";
}

function skipStep<State>(turn: Turn<State>): Decision<State> | undefined {
  const { saga, at } = turn;
  if (saga.waiting.for !== "operator") return undefined;
  const { role } = saga.waiting;
  if (role !== "undo" && phaseOf(turn) === "before-pivot" && !isOperatorsToFindOut(turn))
    throw new FerryError("INVALID_REQUEST", "a step before the pivot can be resumed or undone, not skipped");
  const skipped = withRecord(turn, { status: "skipped", endedAtMs: at.nowMs });
  return role === "undo" ? undoFrom(skipped, saga.step - 1) : leave(skipped);
}

function onOperatorUndo<State>(turn: Turn<State>, { role, reason }: ForOperator): Decision<State> {
  if (role === "undo") return send(tryingAnew(turn), role);
  if (phaseOf(turn) === "after-pivot")
    throw new FerryError("INVALID_REQUEST", "the saga is past its pivot: it can be resumed or skipped, not undone");
  if (phaseOf(turn) !== "pivot") return turnAllBack(tryingAnew(turn), reason, false);
  // Its receiver lets nothing happen any more, and does not know what happened before. That nobody may ever say by a
  // message, so an operator who undoes once more gives the word for it.
  const isRuledOut = role === "void" && turn.saga.steps[turn.saga.step]?.ruledOut === true;
  return isRuledOut ? turnAllBack(tryingAnew(turn), reason, true) : voidPivot(turn);
}

/**
 * The pivot's commands do not expire. However sure the operator is that nothing came of it, one may still lie
 * before its receiver, and would be carried out after the undo: a payment without its hold. So its receiver rules
 * the pivot out first, and only its word turns the saga back. A pivot that was refused has turned back by itself:
 * at one that has stopped, nothing but a void can tell.
 */
function voidPivot<State>(turn: Turn<State>): Decision<State> {
  const { name, void: exchange } = stepAt(turn);
  if (exchange !== undefined) return send(tryingAnew(turn), "void");
  const message = `step ${name} may have been done, or may still be, and cannot be voided: resume the saga until its receiver answers`;
  throw new FerryError("STEP_OUTCOME_UNKNOWN", message);
}

type ForOperator = Extract<Waiting, { for: "operator" }>;

function tryingAnew<State>(turn: Turn<State>): Turn<State> {
  return { ...turn, saga: { ...turn.saga, tries: 0, tryingSinceMs: turn.at.nowMs } };
}
