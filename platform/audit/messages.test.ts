import assert from "node:assert/strict";
import { test } from "node:test";
import { AuditBreachFoundSchema } from "@ferry/gen/ferry/audit/v1/audit_pb.ts";
import { encode } from "@ferry/platform/codec";
import { breachFound } from "./messages.ts";
import type { BreachRow } from "./store.ts";

const rowOf = (detail: unknown): BreachRow => ({
  ...{ id: "b", check_name: "postings", invariant: "I1", subject: "unbalanced:r", message: "no", detail },
  ...{ accounts: [], frozen: [], found_at: new Date(0), seen_at: new Date(0), ended_at: null },
  ...{ acknowledged_at: null, acknowledged_by: null, acknowledge_reason: null },
});
const rows = (count: number) => ({ rows: Array.from({ length: count }, (_, version) => ({ version, role: "r" })) });

test("a breach tells what was found, and of very much its beginning: its event can always be published", () => {
  assert.deepEqual(JSON.parse(breachFound("ledger", rowOf(rows(3))).breach!.detail), rows(3));
  const found = breachFound("ledger", rowOf(rows(100_000)));
  assert.ok(encode(AuditBreachFoundSchema, found).length < 100_000);
  const { omitted, length, begins } = JSON.parse(found.breach!.detail);
  assert.deepEqual([omitted, length], [true, JSON.stringify(rows(100_000)).length]);
  assert.match(begins, /^\{"rows":\[\{"version":0,/);
});
