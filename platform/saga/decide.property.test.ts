import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import fc from "fast-check";
import { advance, type SagaInput } from "./decide.ts";
import type { SagaCommand } from "./moves.ts";
import { dueAtMsOf, hasEnded, type Saga } from "./saga.ts";
import { answered, bankSaid, type ExampleState, exampleSaga } from "./send-money.example.ts";

const HOLD = 1;
const PIVOT = 2;

const LIKELY: SagaInput[] = [answered("verify"), answered("placeHold"), bankSaid("send", "done"), answered("settle")];
const OTHERS: SagaInput[] = [
  ...(["verify", "placeHold", "releaseHold", "settle"] as const).flatMap((name) => [
    answered(name),
    answered(name, "UNAVAILABLE"),
    answered(name, "INVALID_REQUEST"),
  ]),
  ...(["send", "inquire"] as const).flatMap((to) =>
    (["done", "refused", "unknown", "notFound", "unavailable"] as const).map((said) => bankSaid(to, said)),
  ),
  ...(["cancel", "resume", "undo", "skip", "not-sent-yet"] as const).map((kind): SagaInput => ({ kind })),
];

interface Happening {
  input: SagaInput;
  afterMs: number;
}

const happening: fc.Arbitrary<Happening> = fc.record({
  input: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...LIKELY) },
    { weight: 3, arbitrary: fc.constant<SagaInput>({ kind: "timed-out" }) },
    { weight: 4, arbitrary: fc.constantFrom(...OTHERS) },
  ),
  afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 12_000 })),
});

function createRun(parkAfterMs: number) {
  const run = {
    nowMs: 0,
    commands: [] as SagaCommand<ExampleState>[],
    saga: {
      ...{ id: "s", definition: "send-money", version: 1, revision: 1, step: 0, attempts: 0, tries: 0, createdAtMs: 0 },
      ...{ tryingSinceMs: 0, status: "running", waiting: { for: "pause", role: "ask", dueAtMs: 0 } },
      state: { accountId: "a", amountMinor: 100n },
      steps: exampleSaga.steps.map(({ name }) => ({ name, status: "pending", attempts: 0 })),
    } as Saga<ExampleState>,
    take(input: SagaInput): void {
      const at = { nowMs: run.nowMs, random: 0.5, parkAfterMs, backoff: { firstMs: 200, maxMs: 5_000 } };
      try {
        const decision = advance(exampleSaga, run.saga, input, at);
        run.saga = decision.saga;
        run.commands.push(...decision.commands);
      } catch (error) {
        if (!(error instanceof FerryError)) throw error; // what an operator may not do
      }
    },
  };
  run.take({ kind: "started" });
  return run;
}

function checkState(saga: Saga<ExampleState>): void {
  const { status, waiting, steps, failure } = saga;
  assert.equal(status === "running" || status === "undoing", dueAtMsOf(saga) !== undefined);
  assert.equal(status === "parked", waiting.for === "operator");
  assert.equal(hasEnded(saga), waiting.for === "nothing");
  if (waiting.for !== "nothing") assert.equal(status === "undoing", waiting.role === "undo" && status !== "parked");
  assert.equal(failure !== undefined, status !== "running" && status !== "completed", `failure while ${status}`);
  if (status === "completed") assert.ok(steps.every((step) => step.status === "done" || step.status === "skipped"));
  if (status !== "undone") return;
  const hold = steps[HOLD];
  const clean = hold?.status === "pending" || (hold?.status === "failed" && hold.attempts === 1);
  assert.ok(clean || hold?.status === "undone" || hold?.status === "skipped", `hold ${hold?.status} at the end`);
}

test("no order of happenings leads to a state that must not be", () => {
  let ends = 0;
  const property = fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
    const run = createRun(10_000);
    let pivotDone = false;
    let undone = false;
    for (const { input, afterMs } of happenings) {
      const { saga: before, nowMs } = run;
      const sentBefore = run.commands.length;
      run.nowMs = input.kind === "timed-out" ? Math.max(nowMs, dueAtMsOf(before) ?? 0) : nowMs + afterMs;
      run.take(input);
      const sent = run.commands.slice(sentBefore);
      checkState(run.saga);
      if (hasEnded(before)) assert.equal(run.saga, before, "an ended saga changed");
      const pivotStatus = run.saga.steps[PIVOT]?.status;
      pivotDone ||= pivotStatus === "done" || pivotStatus === "skipped";
      const undoes = sent.some(({ role }) => role === "undo");
      assert.ok(!(undoes && pivotDone), "undone after the pivot was done");
      assert.ok(!(undoes && undone), "undone once more after it was undone");
      undone ||= run.saga.steps[HOLD]?.status === "undone";
      assert.ok(!(undone && sent.some(({ role }) => role !== "undo")), "went forward after an undo");
    }
    const ids = run.commands.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, "an id was used twice");
    if (hasEnded(run.saga)) ends++;
  });
  fc.assert(property, { numRuns: 4_000 });
  // Guards against a vacuous run: about one random order in ten reaches an end.
  assert.ok(ends > 200, `only ${ends} sagas came to an end`);
});

test("whatever happened, the saga ends once everything answers again", () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), (happenings) => {
      const run = createRun(10_000);
      for (const { input, afterMs } of happenings) {
        run.nowMs += afterMs;
        run.take(input);
      }
      for (let count = 0; !hasEnded(run.saga); count++) {
        assert.ok(count < 30, `still ${run.saga.status}`);
        run.nowMs = Math.max(run.nowMs, dueAtMsOf(run.saga) ?? 0);
        run.take(nextGood(run.saga));
      }
    }),
    { numRuns: 1_000 },
  );
});

function nextGood({ waiting, step }: Saga<ExampleState>): SagaInput {
  if (waiting.for === "operator") return { kind: "resume" };
  if (waiting.for !== "reply") return { kind: "timed-out" };
  if (waiting.role === "undo") return answered("releaseHold");
  if (waiting.role === "inquire") return bankSaid("inquire", "done");
  return LIKELY[step] as SagaInput;
}
