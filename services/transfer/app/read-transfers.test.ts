import assert from "node:assert/strict";
import { test } from "node:test";
import { type Database, newUuid, writePageToken } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { createReadTransfers } from "./read-transfers.ts";

const memberId = newUuid();

function createReader() {
  const asked: unknown[] = [];
  const { list } = createReadTransfers({
    database: {} as Database,
    store: {
      findTransfers: async () => new Map(),
      async listTransfers(_from, { after }) {
        asked.push(after);
        return [];
      },
    },
    sagas: { find: async () => new Map() },
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
