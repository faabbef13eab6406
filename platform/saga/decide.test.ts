// Over 300 lines because each step, before, at and after the pivot, has a test for each way it can fail.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { advance, type SagaInput } from "./decide.ts";
import type { Circumstances } from "./moves.ts";
import { dueAtMsOf, type Saga } from "./saga.ts";
import { answered, bankSaid, type ExampleState, exampleSaga } from "./send-money.example.ts";

const PARK_AFTER_MS = 30_000;
const TIME: SagaInput = { kind: "timed-out" };
const CANCEL: SagaInput = { kind: "cancel" };

function newSaga(): Saga<ExampleState> {
  return {
    ...{ id: "s", definition: "send-money", version: 1, revision: 1, step: 0, attempts: 0, tries: 0, createdAtMs: 0 },
    ...{ tryingSinceMs: 0, status: "running", waiting: { for: "pause", role: "ask", dueAtMs: 0 } },
    state: { accountId: "a", amountMinor: 100n },
    steps: exampleSaga.steps.map(({ name }) => ({ name, status: "pending", attempts: 0 })),
  };
}

/** A saga with a clock of its own: time passes only when the saga waits for it. */
function createStage(...given: SagaInput[]) {
  const stage = {
    saga: newSaga(),
    nowMs: 0,
    sent: [] as string[],
    /** What happens, one after another; gives the ids of the commands that were sent. */
    when(...inputs: SagaInput[]): string[] {
      const before = stage.sent.length;
      for (const input of inputs) {
        if (input.kind === "timed-out") stage.nowMs = Math.max(stage.nowMs, dueAtMsOf(stage.saga) ?? 0);
        const at: Circumstances = {
          ...{ nowMs: stage.nowMs, random: 0, parkAfterMs: PARK_AFTER_MS },
          backoff: { firstMs: 200, maxMs: 5_000 },
        };
        const decision = advance(exampleSaga, stage.saga, input, at);
        stage.saga = decision.saga;
        stage.sent.push(...decision.commands.map(({ id }) => id));
      }
      return stage.sent.slice(before);
    },
    /** Time passes until the saga has stopped. */
    untilParked(): void {
      for (let count = 0; stage.saga.status !== "parked"; count++) {
        assert.ok(count < 1_000, "the saga never stopped");
        stage.when(TIME);
      }
    },
    statuses: () => stage.saga.steps.map(({ status }) => status),
  };
  stage.when({ kind: "started" }, ...given);
  return stage;
}

const VERIFIED = answered("verify");
const HELD = [VERIFIED, answered("placeHold")];
const PAID = [...HELD, bankSaid("send", "done")];

describe("the straight way", () => {
  test("each answer sends the next command, and the last completes", () => {
    const stage = createStage();
    assert.deepEqual(stage.sent, ["s:verify-account:ask:1"]);
    assert.deepEqual(stage.when(VERIFIED), ["s:place-hold:ask:1"]);
    assert.equal(stage.saga.state.verified, true);
    assert.deepEqual(stage.when(answered("placeHold")), ["s:send:ask:1"]);
    assert.deepEqual(stage.when(bankSaid("send", "done")), ["s:settle:ask:1"]);
    assert.deepEqual(stage.when(answered("settle")), []);
    assert.equal(stage.saga.status, "completed");
    assert.equal(dueAtMsOf(stage.saga), undefined);
    assert.deepEqual(stage.statuses(), ["done", "done", "done", "done"]);
  });

  test("only commands before the pivot expire, and an undo never does", () => {
    const ttls: (number | undefined)[] = [];
    let saga = newSaga();
    const inputs: SagaInput[] = [{ kind: "started" }, ...PAID];
    for (const input of [...inputs, ...[answered("settle")]]) {
      const at = { nowMs: 0, random: 0, parkAfterMs: 1, backoff: { firstMs: 1, maxMs: 1 } };
      const decision = advance(exampleSaga, saga, input, at);
      saga = decision.saga;
      ttls.push(...decision.commands.map(({ ttlMs }) => ttlMs));
    }
    assert.deepEqual(ttls, [1_000, 1_000, undefined, undefined]);
    const { saga: refused } = createStage(...HELD);
    const at = { nowMs: 0, random: 0, parkAfterMs: 1, backoff: { firstMs: 1, maxMs: 1 } };
    const [undo] = advance(exampleSaga, refused, bankSaid("send", "refused"), at).commands;
    assert.equal(undo?.role, "undo");
    assert.equal(undo?.ttlMs, undefined);
  });

  test("duplicate and late replies of earlier steps change nothing", () => {
    const stage = createStage();
    for (const input of [...PAID, answered("settle")]) {
      stage.when(input);
      const { saga } = stage;
      assert.deepEqual(stage.when(input, VERIFIED, answered("verify", "UNAVAILABLE"), answered("releaseHold")), []);
      assert.equal(stage.saga, saga);
    }
  });
});

describe("before the pivot", () => {
  test("a refusal of the first step ends the saga: there is nothing to undo", () => {
    const stage = createStage();
    assert.deepEqual(stage.when(answered("verify", "BANK_ACCOUNT_CLOSED")), []);
    assert.equal(stage.saga.status, "undone");
    assert.equal(stage.saga.failure?.code, "BANK_ACCOUNT_CLOSED");
    assert.deepEqual(stage.statuses(), ["failed", "pending", "pending", "pending"]);
  });

  test("a refusal at the first attempt is clean, so only what came before is undone", () => {
    const stage = createStage(VERIFIED);
    assert.deepEqual(stage.when(answered("placeHold", "INSUFFICIENT_BALANCE")), []);
    assert.equal(stage.saga.status, "undone");
    assert.equal(stage.saga.failure?.code, "INSUFFICIENT_BALANCE");
  });

  test("a refusal after an attempt without answer is undone, for that attempt may still arrive", () => {
    const stage = createStage(VERIFIED, TIME, TIME);
    assert.equal(stage.sent.at(-1), "s:place-hold:ask:2");
    assert.deepEqual(stage.when(answered("placeHold", "INSUFFICIENT_BALANCE")), ["s:place-hold:undo:1"]);
    stage.when(answered("releaseHold"));
    assert.equal(stage.saga.status, "undone");
    assert.equal(stage.saga.failure?.code, "INSUFFICIENT_BALANCE");
  });

  test("unavailable is asked again with growing pauses, up to its retries, then undone with its failure", () => {
    const stage = createStage(VERIFIED);
    const pauses: number[] = [];
    for (let count = 0; count < 2; count++) {
      stage.when(answered("placeHold", "EXPIRED"));
      pauses.push((dueAtMsOf(stage.saga) ?? 0) - stage.nowMs);
      stage.when(TIME);
    }
    assert.deepEqual(pauses, [200, 400]);
    assert.deepEqual(stage.sent.slice(-2), ["s:place-hold:ask:2", "s:place-hold:ask:3"]);
    assert.deepEqual(stage.when(answered("placeHold", "EXPIRED")), ["s:place-hold:undo:1"]);
    stage.when(answered("releaseHold"));
    assert.equal(stage.saga.status, "undone");
    assert.equal(stage.saga.failure?.code, "EXPIRED");
    assert.deepEqual(stage.statuses(), ["done", "undone", "pending", "pending"]);
    assert.equal(stage.saga.steps[1]?.attempts, 3);
  });

  test("a step that never answers is undone too, with STEP_TIMED_OUT", () => {
    const stage = createStage(VERIFIED, TIME, TIME, TIME, TIME, TIME);
    assert.deepEqual(stage.sent.slice(1), [
      ...["s:place-hold:ask:1", "s:place-hold:ask:2", "s:place-hold:ask:3"],
      "s:place-hold:undo:1",
    ]);
    assert.equal(stage.saga.failure?.code, "STEP_TIMED_OUT");
    assert.deepEqual(stage.when(answered("placeHold")), [], "the late answer of what is being undone is ignored");
    stage.when(answered("releaseHold"));
    assert.equal(stage.saga.status, "undone");
  });

  test("a late answer of an earlier attempt counts, in a pause and after the next asking", () => {
    assert.deepEqual(createStage(TIME).when(VERIFIED), ["s:place-hold:ask:1"]);
    assert.deepEqual(createStage(TIME, TIME).when(VERIFIED), ["s:place-hold:ask:1"]);
  });

  test("a duplicate of what was not final neither lengthens a pause nor uses up a retry", () => {
    const stage = createStage(answered("verify", "UNAVAILABLE"));
    const { saga } = stage;
    stage.nowMs += 100;
    stage.when(answered("verify", "UNAVAILABLE"));
    assert.equal(stage.saga, saga);
  });

  test("a time-out that is not due changes nothing", () => {
    const { saga } = createStage();
    const at = { nowMs: 999, random: 0, parkAfterMs: 1, backoff: { firstMs: 1, maxMs: 1 } };
    assert.equal(advance(exampleSaga, saga, TIME, at).saga, saga);
    assert.equal(advance(exampleSaga, saga, { kind: "not-sent-yet" }, at).saga, saga);
  });

  test("a command that the broker does not have yet gets its whole time anew", () => {
    const stage = createStage();
    stage.nowMs = 1_500;
    assert.deepEqual(stage.when({ kind: "not-sent-yet" }), []);
    assert.equal(dueAtMsOf(stage.saga), 2_500);
    assert.equal(stage.saga.attempts, 1);
  });
});

describe("the pivot", () => {
  test("refused: the hold is given back", () => {
    const stage = createStage(...HELD);
    assert.deepEqual(stage.when(bankSaid("send", "refused")), ["s:place-hold:undo:1"]);
    assert.equal(stage.saga.status, "undoing");
    stage.when(answered("releaseHold"));
    assert.equal(stage.saga.status, "undone");
    assert.deepEqual(stage.statuses(), ["done", "undone", "failed", "pending"]);
  });

  test("unknown, then done", () => {
    const stage = createStage(...HELD, bankSaid("send", "unknown"));
    assert.equal(stage.statuses()[2], "unknown");
    assert.deepEqual(stage.when(TIME), ["s:send:inquire:2"]);
    assert.deepEqual(stage.when(bankSaid("inquire", "done")), ["s:settle:ask:1"]);
  });

  test("unknown, then refused", () => {
    const stage = createStage(...HELD, bankSaid("send", "unknown"), TIME);
    assert.deepEqual(stage.when(bankSaid("inquire", "refused")), ["s:place-hold:undo:1"]);
  });

  test("unknown, then not found, is asked again under the same reference and never undone", () => {
    const stage = createStage(...HELD, bankSaid("send", "unknown"), TIME, bankSaid("inquire", "notFound"));
    assert.deepEqual(stage.when(TIME), ["s:send:ask:3"]);
    assert.deepEqual(stage.when(bankSaid("send", "done")), ["s:settle:ask:1"]);
    assert.equal(stage.saga.steps[2]?.attempts, 2);
  });

  test("a late answer to the pivot itself counts while it is inquired about, if it is final", () => {
    const inquiring = () => createStage(...HELD, TIME, TIME);
    assert.equal(inquiring().sent.at(-1), "s:send:inquire:2");
    const stage = inquiring();
    const { saga } = stage;
    stage.when(bankSaid("send", "unknown"), bankSaid("send", "unavailable"));
    assert.equal(stage.saga, saga, "what is not final is ignored");
    assert.deepEqual(inquiring().when(bankSaid("send", "done")), ["s:settle:ask:1"]);
  });

  test("unavailable is asked again, and parked with the hold kept when it lasts too long", () => {
    const stage = createStage(...HELD);
    while (stage.saga.status !== "parked") stage.when(bankSaid("send", "unavailable"), TIME);
    assert.ok(stage.nowMs >= PARK_AFTER_MS && stage.nowMs < PARK_AFTER_MS + 5_000);
    assert.deepEqual(stage.statuses(), ["done", "done", "running", "pending"]);
    assert.equal(stage.saga.failure?.code, "BANK_UNAVAILABLE");
    assert.equal(stage.sent.filter((id) => id.includes(":undo:")).length, 0);
  });

  test("never answered: it is inquired about, parked, and resumed to its end", () => {
    const stage = createStage(...HELD);
    stage.untilParked();
    assert.equal(stage.saga.failure?.code, "STEP_TIMED_OUT");
    const attempts = stage.saga.attempts;
    const [inquiry] = stage.when({ kind: "resume" });
    assert.equal(inquiry, `s:send:inquire:${attempts + 1}`);
    assert.equal(stage.saga.tryingSinceMs, stage.nowMs);
    assert.equal(stage.saga.failure, undefined);
    stage.when(bankSaid("inquire", "done"), answered("settle"));
    assert.equal(stage.saga.status, "completed");
  });

  test("a final answer that comes when it is parked is taken", () => {
    const stage = createStage(...HELD);
    stage.untilParked();
    const { saga } = stage;
    stage.when(bankSaid("inquire", "unknown"), bankSaid("inquire", "notFound"));
    assert.equal(stage.saga, saga, "what is not final is ignored");
    assert.deepEqual(stage.when(bankSaid("send", "done")), ["s:settle:ask:1"]);
    assert.equal(stage.saga.failure, undefined);
  });

  test("time in which nobody looked is no time of trying", () => {
    const stage = createStage(...HELD);
    stage.nowMs += 3_600_000;
    stage.when(TIME);
    assert.equal(stage.saga.status, "running");
    assert.deepEqual(stage.when(TIME), ["s:send:inquire:2"]);
  });
});

describe("after the pivot", () => {
  test("it is retried until it is done", () => {
    const stage = createStage(...PAID, answered("settle", "UNAVAILABLE"), TIME, TIME, TIME);
    assert.deepEqual(stage.sent.slice(-2), ["s:settle:ask:2", "s:settle:ask:3"]);
    stage.when(answered("settle"));
    assert.equal(stage.saga.status, "completed");
  });

  test("a refusal needs a person, and cannot be undone", () => {
    const stage = createStage(...PAID, answered("settle", "HOLD_UNKNOWN"));
    assert.equal(stage.saga.status, "parked");
    assert.throws(() => stage.when({ kind: "undo" }), /past its pivot/);
    assert.deepEqual(stage.when({ kind: "skip" }), []);
    assert.equal(stage.saga.status, "completed");
    assert.deepEqual(stage.statuses(), ["done", "done", "done", "skipped"]);
  });

  test("it is parked when it lasts too long", () => {
    const stage = createStage(...PAID);
    stage.untilParked();
    assert.deepEqual(stage.when({ kind: "resume" }).length, 1);
    stage.when(answered("settle"));
    assert.equal(stage.saga.status, "completed");
  });
});

describe("undo", () => {
  const REFUSED = [...HELD, bankSaid("send", "refused")];

  test("fails, is retried, succeeds", () => {
    const stage = createStage(...REFUSED, answered("releaseHold", "UNAVAILABLE"));
    assert.deepEqual(stage.when(TIME), ["s:place-hold:undo:2"]);
    stage.when(TIME);
    assert.deepEqual(stage.when(TIME), ["s:place-hold:undo:3"]);
    stage.when(answered("releaseHold"));
    assert.equal(stage.saga.status, "undone");
    assert.equal(stage.saga.failure?.code, "BANK_REFUSED");
  });

  test("is parked when it lasts too long, or is refused; the first cause stays", () => {
    const late = createStage(...REFUSED);
    late.untilParked();
    assert.equal(late.saga.failure?.code, "BANK_REFUSED");
    assert.match(String(late.when({ kind: "undo" })[0]), /^s:place-hold:undo:/);
    const refused = createStage(...REFUSED, answered("releaseHold", "HOLD_UNKNOWN"));
    assert.equal(refused.saga.status, "parked");
    refused.when({ kind: "skip" });
    assert.equal(refused.saga.status, "undone");
    assert.deepEqual(refused.statuses(), ["done", "skipped", "failed", "pending"]);
  });
});

describe("cancel", () => {
  test("before the pivot was asked everything is taken back", () => {
    const first = createStage(CANCEL);
    assert.equal(first.saga.status, "undone");
    assert.equal(first.saga.failure?.code, "CANCELED_BY_MEMBER");
    const second = createStage(VERIFIED);
    assert.deepEqual(second.when(CANCEL), ["s:place-hold:undo:1"]);
    assert.deepEqual(second.when(answered("placeHold"), CANCEL), []);
    second.when(answered("releaseHold"));
    assert.equal(second.saga.status, "undone");
    assert.equal(second.saga.failure?.code, "CANCELED_BY_MEMBER");
  });

  test("in a pause between two attempts too", () => {
    const stage = createStage(VERIFIED, TIME);
    assert.deepEqual(stage.when(CANCEL), ["s:place-hold:undo:1"]);
  });

  test("from the pivot on it is too late, and while it is undone or at its end it changes nothing", () => {
    for (const given of [HELD, PAID, [...PAID, answered("settle")], [...HELD, bankSaid("send", "refused")]]) {
      const stage = createStage(...given);
      const { saga } = stage;
      assert.deepEqual(stage.when(CANCEL), []);
      assert.equal(stage.saga, saga);
    }
  });
});

describe("an operator", () => {
  /** Parked at the pivot, and undone by an operator: its void is sent, and nothing is undone yet. */
  function voiding(given: SagaInput[] = HELD) {
    const stage = createStage(...given);
    stage.untilParked();
    assert.deepEqual(stage.when({ kind: "undo" }), [`s:send:void:${stage.saga.attempts}`]);
    assert.deepEqual([stage.saga.status, stage.statuses()[2]], ["running", "unknown"]);
    return stage;
  }

  test("undoes a parked pivot only once its receiver has ruled it out", () => {
    const stage = voiding();
    assert.deepEqual(stage.when(bankSaid("void", "voided")), ["s:place-hold:undo:1"]);
    stage.when(answered("releaseHold"));
    assert.equal(stage.saga.status, "undone");
    assert.equal(stage.saga.failure?.code, "PAYMENT_VOIDED");
    assert.deepEqual(stage.statuses(), ["done", "undone", "failed", "pending"]);
    const { saga } = stage;
    stage.when(bankSaid("send", "done"), bankSaid("void", "done"));
    assert.equal(stage.saga, saga, "an end stays");
  });

  test("who undoes a pivot that was done after all brings the saga forward", () => {
    assert.deepEqual(voiding().when(bankSaid("void", "done")), ["s:settle:ask:1"]);
    assert.deepEqual(voiding().when(bankSaid("send", "done")), ["s:settle:ask:1"], "its own late answer is a fact too");
    assert.deepEqual(voiding().when(bankSaid("void", "refused")), ["s:place-hold:undo:1"]);
  });

  test("a void that nobody hears is sent again, parked with why, and taken up again by any decision but skip", () => {
    const stage = voiding();
    stage.untilParked();
    assert.equal(stage.saga.failure?.code, "STEP_TIMED_OUT");
    assert.equal(stage.sent.filter((id) => id.includes(":undo:")).length, 0);
    for (const kind of ["resume", "undo"] as const) {
      assert.match(String(stage.when({ kind })[0]), /^s:send:void:/);
      stage.untilParked();
    }
    assert.deepEqual(stage.when(bankSaid("void", "voided")), ["s:place-hold:undo:1"], "also when it is parked");
    assert.equal(new Set(stage.sent).size, stage.sent.length);
  });

  test("a void that was heard, and does not know what was before: whoever undoes once more gives the word for it", () => {
    const stuck = () => {
      const stage = voiding();
      for (let tries = 0; stage.saga.status !== "parked"; tries++) {
        assert.ok(tries < 1_000, "it parks in its time");
        stage.when(bankSaid("void", "unknown"), TIME);
      }
      assert.notEqual(stage.saga.failure?.code, "STEP_TIMED_OUT");
      return stage;
    };
    const [sent, again] = voiding().when(bankSaid("void", "unknown"), TIME, bankSaid("void", "unknown"), TIME);
    assert.match(`${sent} ${again}`, /^s:send:void:\d+ s:send:void:\d+$/, "it is asked again first");
    assert.match(String(stuck().when({ kind: "resume" })[0]), /^s:send:void:/);
    const stage = stuck();
    assert.deepEqual(stage.when({ kind: "undo" }), ["s:place-hold:undo:1"]);
    stage.when(answered("releaseHold"));
    assert.deepEqual([stage.saga.status, stage.statuses()[2]], ["undone", "failed"]);
  });

  test("a pivot that cannot be voided cannot be undone", () => {
    const steps = exampleSaga.steps.map(({ void: _, ...step }) => step);
    const { saga } = (() => {
      const stage = createStage(...HELD);
      stage.untilParked();
      return stage;
    })();
    const at = { nowMs: 0, random: 0, parkAfterMs: 1, backoff: { firstMs: 1, maxMs: 1 } };
    const definition = { ...exampleSaga, steps };
    assert.throws(
      () => advance(definition, saga, { kind: "undo" }, at),
      (error) => error instanceof FerryError && error.reason === "STEP_OUTCOME_UNKNOWN",
    );
    assert.match(String(advance(definition, saga, { kind: "resume" }, at).commands[0]?.id), /:inquire:/);
  });

  test("skips a parked pivot", () => {
    const stage = createStage(...HELD);
    stage.untilParked();
    assert.deepEqual(stage.when({ kind: "skip" }), ["s:settle:ask:1"]);
    assert.equal(stage.statuses()[2], "skipped");
  });

  test("decides only about parked sagas", () => {
    for (const given of [HELD, [...PAID, answered("settle")]])
      assert.throws(
        () => createStage(...given).when({ kind: "resume" }),
        (error) => error instanceof FerryError && error.reason === "SAGA_NOT_PARKED",
      );
  });
});
