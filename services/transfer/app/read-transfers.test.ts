import assert from "node:assert/strict";
import { test } from "node:test";
import { type Database, newUuid, writePageToken } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Saga } from "@ferry/platform/saga";
import type { TransferState } from "../domain/transfer.ts";
import { createReadTransfers } from "./read-transfers.ts";
import type { TransferRow } from "./transfer-row.ts";
import { createStandings } from "./transfer-standing.ts";

const memberId = newUuid();
const database = {} as Database;
const noSagas = { find: async () => new Map<string, Saga>() };

function createReader() {
  const asked: unknown[] = [];
  const standings = createStandings({ store: { findTransfers: async () => new Map() }, sagas: noSagas });
  const { list } = createReadTransfers({
    database,
    store: {
      async listTransfers(_from, { after }) {
        asked.push(after);
        return [];
      },
    },
    standings,
  });
  const read = (...cursor: string[]) =>
    list({ memberId, state: undefined, pageSize: 0, pageToken: writePageToken(`transfers ${memberId} `, cursor) });
  return { asked, read };
}

test("what a token holds reaches SQL only when it could be a position", async () => {
  const { asked, read } = createReader();
  const id = newUuid();
  await read("1700000000000000", id);
  const forged = [
    ["", id],
    ["2026-01-01 00:00:00+00", id],
    ["-1", id],
    ["17000000000000000", id],
    ["1", ""],
    ["1", "-".repeat(36)],
    ["1", `${id}'`],
    ["1", id, "1"],
    ["1"],
  ];
  for (const cursor of forged)
    await assert.rejects(
      read(...cursor),
      (error) => error instanceof FerryError && error.reason === "PAGE_TOKEN_INVALID",
      cursor.join(),
    );
  assert.deepEqual(asked, [["1700000000000000", id]]);
});

/** A member's transfers, newest first: rows that are all on their way, as far as `states` has it. */
function readerOf(states: readonly TransferState[]) {
  const rows = states.map(
    (_, index): TransferRow => ({
      ...{ id: `id ${index}`, memberId, requestHash: Buffer.alloc(0), sourceAccountId: "", memo: "", version: 1n },
      ...{ destination: { kind: "account", accountId: "" }, currency: "EUR", amountMinor: 1n, state: "ACCEPTED" },
      ...{ failure: undefined, createdAt: new Date(0), updatedAt: new Date(0) },
    }),
  );
  const steps = { ACCEPTED: [], VERIFIED: ["verify-account"], HELD: ["verify-account", "place-hold"] };
  const sagas = rows.map(
    ({ id }, index) =>
      ({
        ...{ id, status: "running", revision: 2 },
        steps: steps[states[index] as keyof typeof steps].map((name) => ({ name, status: "done", attempts: 1 })),
      }) as unknown as Saga,
  );
  const pick = <T extends { id: string }>(all: readonly T[], ids: readonly string[]) =>
    new Map(all.filter(({ id }) => ids.includes(id)).map((each) => [each.id, each]));
  let looks = 0;
  const { list } = createReadTransfers({
    database,
    standings: createStandings({
      store: { findTransfers: async (_, ids) => pick(rows, ids) },
      sagas: { find: async (_, ids) => pick(sagas, ids) },
    }),
    store: {
      async listTransfers(_from, { limit, after, states }) {
        looks++;
        const from = after === undefined ? 0 : Number(after[0]) + 1;
        assert.ok(states === undefined || states.includes("ACCEPTED"));
        return rows
          .slice(from, from + limit)
          .map((transfer, at) => ({ transfer, position: [String(from + at), "0".repeat(8) + UUID_END] as const }));
      },
    },
  });
  async function pages(state: TransferState | undefined, pageSize: number): Promise<string[][]> {
    const read: string[][] = [];
    for (let pageToken = ""; read.length === 0 || pageToken !== ""; ) {
      const page = await list({ memberId, state, pageSize, pageToken });
      read.push(page.transfers.map(({ id }) => id));
      pageToken = page.nextPageToken;
    }
    return read;
  }
  return { pages, looks: () => looks };
}
const UUID_END = "-0000-4000-8000-000000000000";

test("a page of one state on the way is filled from as many rows as that takes, each given once", async () => {
  const states = Array.from({ length: 40 }, (_, index) => (index % 4 === 1 ? "HELD" : "VERIFIED"));
  const { pages } = readerOf(states as TransferState[]);
  const ids = states.flatMap((state, index) => (state === "HELD" ? [`id ${index}`] : []));
  assert.deepEqual(await pages("HELD", 4), [ids.slice(0, 4), ids.slice(4, 8), ids.slice(8)]);
  assert.deepEqual(await pages("ACCEPTED", 4), [[]]);
  assert.equal((await pages(undefined, 7)).flat().length, 40);
  assert.equal((await pages("VERIFIED", 50)).flat().length, 30);
});

test("looks for one page have an end: it may be empty, and its token goes on", async () => {
  const states = Array.from({ length: 100 }, (_, index) => (index === 90 ? "HELD" : "VERIFIED"));
  const { pages, looks } = readerOf(states as TransferState[]);
  assert.deepEqual((await pages("HELD", 1)).flat(), ["id 90"]);
  assert.ok(looks() > 40, "pages of one: two rows at a look");
  assert.deepEqual((await pages("HELD", 1))[0], []);
});
