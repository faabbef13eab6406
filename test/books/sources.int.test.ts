import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createTestDatabase } from "../support/postgres.ts";
import { openSources } from "./sources.ts";

let made: Awaited<ReturnType<typeof createTestDatabase>>;
before(async () => {
  made = await createTestDatabase();
});
after(() => made.drop());

test("books of any size are read, over several databases too", async (t) => {
  const ledgerShards = [made.url, `${made.url}?application_name=another`];
  const sources = openSources({ databaseUrl: made.url, ledgerShards, bankUrl: "http://127.0.0.1:1" });
  t.after(() => sources.close());
  const rows = await sources.query<{ seq: bigint }>(
    "ledger",
    "SELECT seq FROM generate_series(1::int8, 200000) AS seq",
  );
  assert.deepEqual([rows.length, rows[0]?.seq, rows.at(-1)?.seq], [400_000, 1n, 200_000n]);
});
