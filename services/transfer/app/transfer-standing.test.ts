import assert from "node:assert/strict";
import { test } from "node:test";
import type { Database } from "@ferry/platform/db";
import type { Saga, SagaStatus } from "@ferry/platform/saga";
import type { TransferState } from "../domain/transfer.ts";
import type { TransferRow } from "./transfer-row.ts";
import { createStandings } from "./transfer-standing.ts";

const database = {} as Database;

function rowIn(state: TransferState, version = 1n): TransferRow {
  return {
    ...{ id: "one", memberId: "", requestHash: Buffer.alloc(0), sourceAccountId: "", memo: "", currency: "EUR" },
    ...{ destination: { kind: "account", accountId: "" }, amountMinor: 1n, state, version, failure: undefined },
    ...{ createdAt: new Date(1_000), updatedAt: new Date(1_000) },
  };
}

function sagaAt(status: SagaStatus, done: readonly string[], revision = 1): Saga {
  const steps = done.map((name, index) => ({ name, status: "done", attempts: 1, endedAtMs: 2_000 + index }));
  return { id: "one", status, revision, steps } as unknown as Saga;
}

/** Reads the transfer "one"; each look at the rows gives the next of them, the last for good. */
async function standing(rows: TransferRow[], sagas: (Saga | undefined)[]) {
  const next = <T>(all: T[]) => (all.length > 1 ? all.shift() : all[0]);
  const looks = { rows: 0 };
  const { find } = createStandings({
    store: {
      async findTransfers() {
        looks.rows++;
        return new Map([["one", next(rows)!]]);
      },
    },
    sagas: {
      async find() {
        const saga = next(sagas);
        return new Map(saga === undefined ? [] : [["one", saga]]);
      },
    },
  });
  const { row, saga } = (await find(database, ["one"])).get("one")!;
  return { told: [row.state, row.version, row.updatedAt.getTime()], saga, looks: looks.rows };
}

test("while its saga goes forward, the saga says how far a transfer is, and since when", async () => {
  const at = (saga: Saga, row = rowIn("ACCEPTED")) => standing([row], [saga]);
  assert.deepEqual((await at(sagaAt("running", []))).told, ["ACCEPTED", 1n, 1_000]);
  assert.deepEqual((await at(sagaAt("running", ["verify-account"], 2))).told, ["VERIFIED", 2n, 2_000]);
  const sent = sagaAt("running", ["verify-account", "place-hold", "send"], 4);
  assert.deepEqual((await at(sent)).told, ["SENT", 4n, 2_002]);
  assert.deepEqual((await at(sent, rowIn("HELD", 9n))).told, ["SENT", 9n, 2_002], "as written when it left PARKED");
});

test("what does not go forward is as its row says", async () => {
  for (const [state, status] of [
    ["COMPLETED", "completed"],
    ["PARKED", "running"], // resumed after the row was read
    ["SCHEDULED", "running"],
  ] as const) {
    const { told, looks } = await standing([rowIn(state, 3n)], [sagaAt(status, ["send"], 4)]);
    assert.deepEqual([told, looks], [[state, 3n, 1_000], 1]);
  }
  const { told } = await standing([rowIn("COMPLETED", 5n)], [undefined]);
  assert.deepEqual(told, ["COMPLETED", 5n, 1_000], "its saga was deleted");
});

test("a row that was read before its saga turned back or ended is read again, and the saga after it", async () => {
  const forward = rowIn("ACCEPTED");
  const turned = await standing(
    [forward, rowIn("VERIFIED", 3n)],
    [sagaAt("undoing", ["verify-account", "place-hold"])],
  );
  assert.deepEqual([turned.told, turned.looks], [["VERIFIED", 3n, 1_000], 2], "never shown as held");
  const completed = sagaAt("completed", ["settle"], 5);
  const ended = await standing([forward, rowIn("COMPLETED", 5n)], [sagaAt("undoing", []), completed]);
  assert.deepEqual([ended.told[0], ended.saga], ["COMPLETED", completed]);
});
