import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { child } from "./child.ts";
import { advance } from "./decide.ts";
import { defineSaga, parallel, pivot, step } from "./define.ts";
import type { Exchange } from "./definition.ts";
import { park } from "./moves.ts";
import { dueAtMsOf } from "./saga.ts";
import { answered, bankSaid, type ExampleState, exampleSaga } from "./send-money.example.ts";
import { childEnded, given, timeOut } from "./testing/index.ts";

type Asked = Exchange<ExampleState>;
const [verify, hold, send, settle] = exampleSaga.steps.map(({ ask }) => ask) as [Asked, Asked, Asked, Asked];
const release = exampleSaga.steps[1]?.undo as Asked;
const inquire = exampleSaga.steps[2]?.whenUnknown as Asked;

/** Two holds and a check at once. */
const beside = defineSaga<ExampleState>("beside", 1, [
  parallel([
    step("verify", { ask: verify, timeoutMs: 1_000, retries: 1 }),
    step("one", { ask: hold, undo: release, timeoutMs: 2_000, retries: 1 }),
    step("two", {
      ask: hold,
      undo: release,
      timeoutMs: 3_000,
      retries: 1,
      when: ({ amountMinor }) => amountMinor > 1n,
    }),
  ]),
  pivot("send", { ask: send }),
  step("settle", { ask: settle, retries: "until-done" }),
]);
const state = { accountId: "a", amountMinor: 5n };
const at = (step: string, input: ReturnType<typeof answered>) => ({ ...input, step });
const held = (step: string, code?: Parameters<typeof answered>[1]) => at(step, answered("placeHold", code));
const released = (step: string) => at(step, answered("releaseHold"));
const verified = at("verify", answered("verify"));
const CANCEL = { kind: "cancel" } as const;

describe("steps side by side", () => {
  test("are asked together, answered in any order, and the next comes when all are done", () => {
    given(beside)
      .state(state)
      .gives({ status: "running", commands: ["verify:ask", "one:ask", "two:ask"] })
      .when(held("two"), verified)
      .gives({ commands: [], steps: { verify: "done", one: "running", two: "done" } })
      .when(held("one"))
      .gives({ commands: ["send:ask"], state: { ...state, verified: true } as ExampleState });
  });

  test("that are not needed are left out; a single one is like any other", () => {
    const story = given(beside).state({ ...state, amountMinor: 1n });
    story.gives({ commands: ["verify:ask", "one:ask"], steps: { two: "not-needed" } });
    story.when(verified, held("one")).gives({ commands: ["send:ask"] });
    assert.equal(story.stage.saga.lanes, undefined);
  });

  test("each has its own time and its own tries", () => {
    const story = given(beside).state(state).when(timeOut); // after 1 s: only the first is overdue
    assert.equal(story.stage.nowMs, 1_000);
    story.when(timeOut).gives({ commands: ["verify:ask"], steps: { one: "running" } });
    story.when(held("one", "EXPIRED")).gives({ commands: [] });
    story.when(timeOut, verified, held("two")).gives({ commands: ["one:ask"] });
    assert.deepEqual(
      story.stage.saga.steps.slice(0, 3).map(({ attempts }) => attempts),
      [2, 2, 1],
    );
  });

  test("while the broker has not got their commands none is overdue, and a pause is over all the same", () => {
    const story = given(beside).state(state).when(held("one", "EXPIRED"));
    story.stage.nowMs = 10_000;
    story.when({ kind: "not-sent-yet" }).gives({ commands: ["one:ask"], status: "running" });
    const attempts = story.stage.saga.steps.map((record) => record.attempts);
    assert.deepEqual(attempts.slice(0, 3), [1, 2, 1]);
    assert.equal(dueAtMsOf(story.stage.saga), 11_000);
  });

  test("one is refused: those that are done and those that answer later are undone, in reverse", () => {
    given(beside)
      .state(state)
      .when(held("two"), held("one"), at("verify", answered("verify", "BANK_ACCOUNT_CLOSED")))
      .gives({ commands: ["two:undo"], status: "undoing", failure: "BANK_ACCOUNT_CLOSED" })
      .when(released("two"))
      .gives({ commands: ["one:undo"] })
      .when(released("one"))
      .gives({ status: "undone", steps: { verify: "failed", one: "undone", two: "undone", send: "pending" } });
    given(beside)
      .state(state)
      .when(held("one", "INSUFFICIENT_BALANCE"))
      .gives({ commands: [], status: "undoing", failure: "INSUFFICIENT_BALANCE" })
      .when(verified, held("two"))
      .gives({ commands: ["two:undo"], steps: { one: "failed", two: "undoing" } });
  });

  test("one is refused and another never answers: after its time-out that one is undone too, and not asked again", () => {
    given(beside)
      .state(state)
      .when(at("verify", answered("verify", "BANK_ACCOUNT_CLOSED")), held("two", "UNAVAILABLE"))
      .gives({ commands: [], steps: { two: "unknown", one: "running" } })
      .when(timeOut)
      .gives({ commands: ["two:undo"], failure: "BANK_ACCOUNT_CLOSED" })
      .when(released("two"), released("one"))
      .gives({ status: "undone" });
  });

  test("canceled: what is under way is waited for, what pauses is not", () => {
    const story = given(beside).state(state).when(held("two", "EXPIRED"), CANCEL);
    story.gives({ commands: [], status: "undoing", steps: { two: "unknown" } });
    story.when(CANCEL).gives({ commands: [] });
    story.when(verified, held("one")).gives({ commands: ["two:undo"], failure: "CANCELED_BY_MEMBER" });
  });

  test("a late answer of a step that was let go changes nothing", () => {
    const story = given(beside).state(state).when(held("two", "EXPIRED"), CANCEL);
    const { saga } = story.stage;
    story.when(held("two"));
    assert.equal(story.stage.saga, saga);
  });

  test("a saga among them is canceled when another is refused, and its end is waited for", () => {
    const withChild = defineSaga<ExampleState>("with-child", 1, [
      parallel([
        step("one", { ask: hold, undo: release }),
        child("other", { saga: exampleSaga, begin: ({ state }) => state, undo: release }),
      ]),
    ]);
    const failure = { code: "CANCELED_BY_MEMBER", message: "" } as const;
    const story = given(withChild)
      .state(state)
      .gives({ commands: ["one:ask", "other:begin"] });
    story.when(held("one", "INSUFFICIENT_BALANCE")).gives({ commands: ["other:cancel"], status: "undoing" });
    story.when(timeOut).gives({ commands: ["other:cancel"] });
    story.when(childEnded("other", { outcome: "undone", state, failure })).gives({ status: "undone" });
    const late = given(withChild).state(state).when(held("one", "INSUFFICIENT_BALANCE"));
    late.when(childEnded("other", { outcome: "completed", state })).gives({ commands: ["other:undo"] });
  });
});

describe("an outcome that nobody knows", () => {
  const careful = defineSaga<ExampleState>("careful", 1, [
    parallel([
      step("one", { ask: hold, undo: release, whenUnknown: "park" }),
      step("two", { ask: send, undo: release, whenUnknown: inquire, retries: 2 }),
    ]),
    pivot("send", { ask: send, whenUnknown: "park" }),
  ]);
  const bank = (to: "send" | "inquire", said: Parameters<typeof bankSaid>[1], name = "two") =>
    at(name, bankSaid(to, said));

  test("is asked for before the pivot as well, as often as the step may be tried", () => {
    const story = given(careful).state(state).when(held("one"), bank("send", "unknown"));
    story.gives({ commands: [], steps: { two: "unknown" } });
    story.when(timeOut).gives({ commands: ["two:inquire"] });
    story.when(bank("inquire", "notFound"), timeOut).gives({ commands: ["two:ask"], steps: { two: "running" } });
    story.when(bank("send", "unknown")).gives({ commands: ["two:undo"], failure: "BANK_OUTCOME_UNKNOWN" });
    const known = given(careful).state(state).when(held("one"), bank("send", "unknown"), timeOut);
    known.when(bank("inquire", "done")).gives({ commands: ["send:ask"] });
  });

  test("parks, where only an operator can find out: who is sure skips, asks again, or undoes", () => {
    const parked = () => {
      const story = given(careful).state(state).when(bank("send", "done"), timeOut);
      return story.gives({ commands: [], status: "parked", failure: "STEP_TIMED_OUT", steps: { one: "unknown" } });
    };
    parked()
      .when({ kind: "skip" })
      .gives({ commands: ["send:ask"], steps: { one: "skipped" }, failure: null });
    parked()
      .when({ kind: "resume" })
      .gives({ commands: ["one:ask"], status: "running" });
    parked()
      .when({ kind: "undo" })
      .gives({ commands: ["two:undo"], failure: "STEP_TIMED_OUT" });
    parked()
      .when(held("one"))
      .gives({ commands: ["send:ask"], status: "running" });
  });

  test("parks while another goes on: its answer is taken, and its refusal turns the saga back once the operator has decided", () => {
    const story = given(careful).state(state);
    story.when(timeOut).gives({ status: "parked", steps: { one: "unknown" } });
    story.when(bank("send", "refused")).gives({ commands: [], status: "parked", steps: { two: "failed" } });
    story.when({ kind: "resume" }).gives({ commands: ["one:undo"], status: "undoing" });
  });

  test("of the pivot parks too, and skipping it is to say that it is done", () => {
    const story = given(careful)
      .state(state)
      .when(held("one"), bank("send", "done"), bank("send", "unknown", "send"));
    story
      .gives({ status: "parked", failure: "BANK_OUTCOME_UNKNOWN" })
      .when({ kind: "skip" })
      .gives({ status: "completed" });
  });

  test("a step before the pivot whose receiver can be asked is not skipped", () => {
    const story = given(beside).state(state);
    const parked = park(story.stage.saga, { code: "INTERNAL", message: "a bug" }, 0);
    const decide = (kind: "skip" | "resume") =>
      advance(beside, parked, { kind }, { nowMs: 0, random: 0, parkAfterMs: 1, backoff: { firstMs: 1, maxMs: 1 } });
    assert.throws(() => decide("skip"), /can be resumed or undone, not skipped/);
    const { saga, commands } = decide("resume");
    assert.deepEqual([saga.status, commands.map(({ id }) => id.slice(-5))], ["running", ["ask:2", "ask:2", "ask:2"]]);
  });
});

test("a step's own pauses come before those of the engine", () => {
  const saga = defineSaga<ExampleState>("slow", 1, [
    step("one", { ask: hold, undo: release, backoff: { firstMs: 1_000, maxMs: 1_500 } }),
  ]);
  const story = given(saga).state(state);
  const pauses = Array.from({ length: 3 }, () => {
    const before = story.when(held("one", "EXPIRED")).stage.nowMs;
    return story.when(timeOut).stage.nowMs - before;
  });
  assert.deepEqual(pauses, [1_000, 1_500, 1_500]);
});
