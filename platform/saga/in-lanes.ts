import type { Lane } from "./lanes.ts";
import type { Decision, Turn } from "./moves.ts";
import type { Saga } from "./saga.ts";

/** The time since it was due is the time in which nobody looked, as after a crash: it does not count as trying. */
export function withoutLostTime<State>(saga: Saga<State>, nowMs: number): Saga<State> {
  const { waiting } = saga;
  if (waiting.for !== "reply" && waiting.for !== "pause") return saga;
  return { ...saga, tryingSinceMs: saga.tryingSinceMs + Math.max(0, nowMs - waiting.dueAtMs) };
}

/** The saga as seen from one of several steps that run side by side. */
function seenFrom<State>(turn: Turn<State>, lane: Lane): Turn<State> {
  const { lanes = [], ...saga } = turn.saga;
  const seen = withoutLostTime({ ...saga, ...lane }, turn.at.nowMs);
  return { ...turn, saga: seen, others: lanes.filter((each) => each !== lane) };
}

/** What one step does; undefined: nothing changes. */
type Act<State> = (turn: Turn<State>) => Decision<State> | undefined;

/** Acts at the step of this name, among several that run side by side, or at the one at hand. */
export function inLane<State>(turn: Turn<State>, name: string, act: Act<State>): Decision<State> | undefined {
  const { lanes } = turn.saga;
  if (lanes === undefined) return act(turn);
  const lane = lanes.find(({ step }) => turn.definition.steps[step]?.name === name);
  return lane === undefined ? undefined : act(seenFrom(turn, lane));
}

/** Acts at each step that runs side by side with others, one after another, or at the one at hand. */
export function inEachLane<State>(turn: Turn<State>, act: Act<State>): Decision<State> | undefined {
  const { lanes } = turn.saga;
  if (lanes === undefined) return act(turn);
  let whole: Decision<State> | undefined;
  for (const { step } of lanes) {
    const saga = whole?.saga ?? turn.saga;
    const lane = saga.lanes?.find((each) => each.step === step);
    const decision = lane === undefined ? undefined : act(seenFrom({ ...turn, saga }, lane));
    if (decision === undefined) continue;
    const children = [...(whole?.children ?? []), ...(decision.children ?? [])];
    whole = { saga: decision.saga, commands: [...(whole?.commands ?? []), ...decision.commands], children };
  }
  return whole;
}
