import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import fc from "fast-check";
import { hasEnded, type Role, type Saga, type SagaInput } from "../index.ts";
import { laneOf } from "../lanes.ts";
import { dueAtMsOf, type Lane } from "../saga.ts";
import { everything, everythingExamples } from "./everything.example.ts";
import { type Replies, rolesOf } from "./examples.ts";
import { createStage, replyFor, type Stage } from "./stage.ts";

type State = (typeof everythingExamples.states)[number];
type Happening = (stage: Stage<State>) => SagaInput;

const CHILDREN = everything.steps.filter(({ child }) => child !== undefined).map(({ name }) => name);

/** Every reply that any step may get, and everything else that can happen. */
const REPLIES: Happening[] = everything.steps.flatMap((step) =>
  rolesOf(step).flatMap((role) =>
    Object.values(everythingExamples.steps[step.name]?.[role] ?? {}).flatMap((message) =>
      message === "never" ? [] : [() => replyFor(step.name, message)],
    ),
  ),
);
const ENDS: Happening[] = CHILDREN.flatMap((name) => {
  const { completed, undone } = everythingExamples.steps[name]?.child ?? assert.fail();
  return [
    (stage: Stage<State>) => stage.childEnd(name, { outcome: "completed", state: completed }),
    (stage: Stage<State>) => stage.childEnd(name, { outcome: "undone", ...undone }),
  ];
});
const OTHERS: Happening[] = (["cancel", "resume", "undo", "skip", "not-sent-yet"] as const).map((kind) => () => ({
  kind,
}));
const timedOut: Happening = (stage) => {
  stage.nowMs = Math.max(stage.nowMs, dueAtMsOf(stage.saga) ?? 0);
  return { kind: "timed-out" };
};

const happening = fc.oneof(
  { weight: 24, arbitrary: fc.constant(good) },
  { weight: 8, arbitrary: fc.constantFrom(...REPLIES, ...ENDS) },
  { weight: 4, arbitrary: fc.constant(timedOut) },
  { weight: 1, arbitrary: fc.constantFrom(...OTHERS) },
);

function lanesOf(saga: Saga<State>): readonly Lane[] {
  return saga.lanes ?? [laneOf(saga)];
}

/** What brings the saga on: the good answer to the first thing that it waits for, or an operator. */
function good(stage: Stage<State>): SagaInput {
  const { saga } = stage;
  if (saga.status === "parked") return { kind: "resume" };
  const lane = lanesOf(saga).find(({ waiting }) => waiting.for === "reply");
  if (lane?.waiting.for !== "reply") return timedOut(stage);
  const step = everything.steps[lane.step] ?? assert.fail();
  const example = everythingExamples.steps[step.name] ?? assert.fail();
  const role: Role = lane.waiting.role;
  if (role === "ask" && step.child !== undefined)
    return stage.childEnd(step.name, { outcome: "completed", state: example.child?.completed });
  const replies: Replies = example[role] ?? assert.fail();
  return replyFor(step.name, replies.done);
}

function take(stage: Stage<State>, input: SagaInput): void {
  try {
    stage.take(input);
  } catch (error) {
    if (!(error instanceof FerryError)) throw error; // what an operator may not do
  }
}

/** What the table's own checks ask of a row, and what the next decision stands on. */
function checkRow({ status, waiting, failure, lanes, turningBack, step }: Saga<State>): void {
  const underWay = status === "running" || status === "undoing";
  assert.equal(underWay, waiting.for === "reply" || waiting.for === "pause", `${status} waits for ${waiting.for}`);
  assert.equal(status === "parked", waiting.for === "operator");
  assert.equal(failure !== undefined, status !== "running" && status !== "completed", `failure while ${status}`);
  if (turningBack) assert.ok(lanes !== undefined, "it turns back and waits for nothing");
  if (lanes === undefined) return;
  assert.ok(lanes.length > 0 && lanes.some((lane) => lane.step === step) && waiting.for !== "nothing");
  const groups = new Set(lanes.map((lane) => everything.steps[lane.step]?.group));
  assert.equal(groups.size, 1, "steps of several groups at once");
  assert.ok(lanes.every((lane) => lane.waiting.for !== "nothing"));
  assert.equal(new Set(lanes.map((lane) => lane.step)).size, lanes.length);
}

test("no order of happenings leads to a row that must not be, or to an end that changes", () => {
  const ends = { completed: 0, undone: 0, sideBySide: 0, turnedBack: 0 };
  const property = fc.property(
    fc.array(happening, { minLength: 20, maxLength: 80 }),
    fc.boolean(),
    (happenings, needed) => {
      const stage = createStage(everything, everythingExamples.states[needed ? 0 : 1] ?? assert.fail(), {
        parkAfterMs: 9_000,
      });
      stage.take({ kind: "started" });
      for (const each of happenings) {
        const before = stage.saga;
        take(stage, each(stage));
        checkRow(stage.saga);
        if (hasEnded(before)) assert.equal(stage.saga, before, "an ended saga changed");
        if (stage.saga.lanes !== undefined) ends.sideBySide++;
        if (stage.saga.turningBack) ends.turnedBack++;
      }
      const ids = [...stage.commands, ...stage.children.filter(({ kind }) => kind === "begin")].map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length, "an id was used twice");
      const { status } = stage.saga;
      if (status === "completed" || status === "undone") ends[status]++;
    },
  );
  fc.assert(property, { numRuns: 3_000 });
  assert.ok(ends.completed > 100 && ends.undone > 100, JSON.stringify(ends));
  assert.ok(ends.sideBySide > 3_000 && ends.turnedBack > 300, JSON.stringify(ends));
});

test("whatever happened, the saga ends once everything answers again", () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), (happenings) => {
      const stage = createStage(everything, everythingExamples.states[0] ?? assert.fail(), { parkAfterMs: 9_000 });
      stage.take({ kind: "started" });
      for (const each of happenings) take(stage, each(stage));
      for (let count = 0; !hasEnded(stage.saga); count++) {
        assert.ok(count < 60, `still ${stage.saga.status}`);
        take(stage, good(stage));
      }
    }),
    { numRuns: 1_000 },
  );
});
