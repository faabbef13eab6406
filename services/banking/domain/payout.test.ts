import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "./call.ts";
import { pauseMsAfter, verdictOf } from "./payout.ts";

const refused = (code: "BANK_REFUSED" | "BANK_UNKNOWN"): Outcome => ({
  kind: "refused",
  failure: { code, message: "no" },
  detail: "",
});

const rows: [what: string, outcome: Outcome, attempts: number, verdict: object][] = [
  ["done", { kind: "done", detail: "" }, 1, { kind: "paid" }],
  ["refused", refused("BANK_REFUSED"), 7, { kind: "not-paid", failure: { code: "BANK_REFUSED", message: "no" } }],
  [
    "no such bank, at first",
    refused("BANK_UNKNOWN"),
    1,
    { kind: "not-paid", failure: { code: "BANK_UNKNOWN", message: "no" } },
  ],
  ["no such bank any more", refused("BANK_UNKNOWN"), 2, { kind: "again", next: "inquire" }],
  ["not found", { kind: "not-found", detail: "" }, 2, { kind: "again", next: "send" }],
  ["never reached", { kind: "unavailable", detail: "" }, 1, { kind: "again", next: "send" }],
  ["no answer", { kind: "unknown", detail: "" }, 1, { kind: "again", next: "inquire" }],
];

for (const [what, outcome, attempts, verdict] of rows)
  test(`a payout after: ${what}`, () => assert.deepEqual(verdictOf(outcome, attempts), verdict));

test("pauses double, and never grow beyond five minutes", () => {
  assert.deepEqual(
    [1, 2, 3, 11].map((attempts) => pauseMsAfter(attempts, 0)),
    [200, 400, 800, 204_800],
  );
  assert.equal(pauseMsAfter(10_000, 0), 300_000);
  assert.equal(pauseMsAfter(10_000, 1), 150_000);
});
