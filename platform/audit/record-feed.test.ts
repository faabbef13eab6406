import assert from "node:assert/strict";
import { test } from "node:test";
import { askByReference } from "./record-feed.ts";

test("a neighbor is asked about each record once, about no more at once than it allows, and need not know all", async () => {
  const records = Array.from({ length: 2_001 }, (_, number) => ({ id: `record-${number}` }));
  const calls: string[][] = [];
  const answers = await askByReference(records, async (references) => {
    calls.push(references);
    return references.filter((reference) => reference !== "record-7").map((reference) => ({ reference }));
  });
  assert.deepEqual(
    calls.map(({ length }) => length),
    [1_000, 1_000, 1],
  );
  assert.deepEqual(
    calls.flat(),
    records.map(({ id }) => id),
  );
  assert.equal(answers.size, 2_000);
  assert.equal(answers.get("record-2000")?.reference, "record-2000");
  assert.equal(answers.get("record-7"), undefined);
});

test("about no record, nobody is asked", async () => {
  const answers = await askByReference([], () => assert.fail("it was asked"));
  assert.equal(answers.size, 0);
});
