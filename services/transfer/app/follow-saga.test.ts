import assert from "node:assert/strict";
import { test } from "node:test";
import type { Transaction } from "@ferry/platform/db";
import type { OutgoingMessage } from "@ferry/platform/outbox";
import type { Saga, SagaStatus } from "@ferry/platform/saga";
import { sendMoney } from "../sagas/send-money.ts";
import { sagaStateOf } from "../sagas/state.ts";
import { createFollowSaga } from "./follow-saga.ts";

const [VERIFY, HOLD, SEND, SETTLE] = sendMoney.steps.map(({ name }) => name);
const state = sagaStateOf({
  ...{ id: "one", memberId: "member", requestHash: Buffer.alloc(0), sourceAccountId: "source", memo: "" },
  ...{ destination: { kind: "bank", bankCode: "B", accountNumber: "1" }, currency: "EUR", amountMinor: 1n },
});
const failure = { code: "BANK_REFUSED", message: "no" } as const;

function sagaAt(status: SagaStatus, done: (string | undefined)[], more: Partial<Saga> = {}): Saga {
  const steps = sendMoney.steps.map(({ name }) => ({
    name,
    status: done.includes(name) ? "done" : "pending",
    attempts: 1,
  }));
  return { id: "one", status, steps, state, revision: 7, createdAtMs: 0, ...more } as unknown as Saga;
}

/** What is written, published and told when a saga moves so. */
async function follow(before: Saga, after: Saga) {
  const written: string[] = [];
  const events: string[] = [];
  const told = { changed: 0, ended: 0 };
  const commits: (() => void)[] = [];
  const run = createFollowSaga({
    store: {
      async updateTransfers(_tx, changes) {
        assert.ok(changes.length > 0, "no statement for nothing");
        for (const { state, version, failure } of changes)
          written.push(`${state} ${version} ${failure?.code ?? ""}`.trim());
      },
    },
    outbox: {
      async add(_tx: Transaction, messages: readonly OutgoingMessage[]) {
        for (const { schema } of messages) events.push(schema.name);
      },
      acknowledgedBelow: async () => 0n,
    },
    followLines: async () => {},
    ended: () => told.ended++,
    changed: () => told.changed++,
    now: () => new Date(0),
  });
  await run({ afterCommit: (hear: () => void) => commits.push(hear) } as unknown as Transaction, [{ before, after }]);
  for (const hear of commits) hear();
  return { written, events, ...told };
}

test("steps forward are told, and write no row: the saga has them", async () => {
  const way = [[], [VERIFY], [VERIFY, HOLD], [VERIFY, HOLD, SEND]];
  for (let at = 1; at < way.length; at++) {
    const moved = await follow(sagaAt("running", way[at - 1]!), sagaAt("running", way[at]!));
    assert.deepEqual(moved, { written: [], events: [], changed: 1, ended: 0 });
  }
});

test("an end writes the row, with its event", async () => {
  const all = [VERIFY, HOLD, SEND, SETTLE];
  const completed = await follow(sagaAt("running", all.slice(0, 3)), sagaAt("completed", all));
  assert.deepEqual(completed, { written: ["COMPLETED 7"], events: ["TransferCompleted"], changed: 1, ended: 1 });
  const failed = await follow(sagaAt("running", []), sagaAt("undone", [], { failure }));
  assert.deepEqual(failed, { written: ["FAILED 7 BANK_REFUSED"], events: ["TransferFailed"], changed: 1, ended: 1 });
});

test("turning back writes where the transfer was, which the undone steps do not tell any more", async () => {
  const turned = await follow(sagaAt("running", [VERIFY]), sagaAt("undoing", [VERIFY, HOLD], { failure }));
  assert.deepEqual([turned.written, turned.ended], [["VERIFIED 7"], 0]);
  const undone = await follow(sagaAt("undoing", [VERIFY, HOLD], { failure }), sagaAt("undoing", [VERIFY], { failure }));
  assert.deepEqual(undone.written, []);
});

test("coming to an operator and leaving him are written", async () => {
  const waiting = { for: "operator", role: "ask", reason: failure, sinceMs: 0 } as const;
  const parked = sagaAt("parked", [VERIFY, HOLD], { waiting, failure });
  const came = await follow(sagaAt("running", [VERIFY, HOLD]), parked);
  assert.deepEqual([came.written, came.ended], [["PARKED 7 BANK_REFUSED"], 1]);
  assert.deepEqual((await follow(parked, sagaAt("running", [VERIFY, HOLD]))).written, ["HELD 7"]);
  assert.deepEqual((await follow(parked, sagaAt("undoing", [VERIFY, HOLD]))).written, ["HELD 7"]);
});
