import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "../config.ts";
import { type AttemptFacts, decideAttempt, readRetryAfter } from "./attempt.ts";

const RULES = { retryDelaysMs: [1_000, 2_000], disableAfterMs: 10_000 };
const facts = (change: Partial<AttemptFacts> & { status?: number; retryAfterMs?: number }): AttemptFacts => {
  const { status = 500, retryAfterMs, ...rest } = change;
  return { number: 1, failingForMs: undefined, random: 0, outcome: { status, problem: "", retryAfterMs }, ...rest };
};
const decide = (change: Parameters<typeof facts>[0]) => decideAttempt(facts(change), RULES);

test("2xx is delivered, and the endpoint is well", () => {
  for (const status of [200, 204, 299])
    assert.deepEqual(decide({ status, failingForMs: 5 }), {
      delivery: { kind: "delivered" },
      endpoint: { kind: "well" },
    });
});

test("anything else is tried again by the schedule, with jitter, and is dead after the last", () => {
  for (const status of [0, 199, 301, 404, 500])
    assert.deepEqual(decide({ status }), {
      delivery: { kind: "retry", delayMs: 1_000 },
      endpoint: { kind: "failing" },
    });
  assert.deepEqual(decide({ number: 2, random: 0.5 }).delivery, { kind: "retry", delayMs: 2_200 });
  assert.deepEqual(decide({ number: 3 }).delivery, { kind: "dead" });
  assert.deepEqual(decide({ number: 4 }).delivery, { kind: "dead" });
});

test("410 ends the delivery and disables the endpoint", () => {
  assert.deepEqual(decide({ status: 410 }), {
    delivery: { kind: "dead" },
    endpoint: { kind: "disable", reason: "GONE" },
  });
});

test("an endpoint that has failed too long is disabled at its next failure, and only then", () => {
  assert.deepEqual(decide({ failingForMs: 9_999 }).endpoint, { kind: "failing" });
  assert.deepEqual(decide({ failingForMs: 10_000 }), {
    delivery: { kind: "dead" },
    endpoint: { kind: "disable", reason: "FAILING" },
  });
  assert.deepEqual(decide({ failingForMs: 10_000, status: 200 }).endpoint, { kind: "well" });
});

test("Retry-After puts a retry off, for an hour at most, and never brings it forward", () => {
  assert.deepEqual(decide({ retryAfterMs: 90_000 }).delivery, { kind: "retry", delayMs: 90_000 });
  assert.deepEqual(decide({ retryAfterMs: 1 }).delivery, { kind: "retry", delayMs: 1_000 });
  assert.deepEqual(decide({ retryAfterMs: 1e12 }).delivery, { kind: "retry", delayMs: 3_600_000 });
  const now = Date.parse("2026-01-01T00:00:00Z");
  assert.equal(readRetryAfter("120", now), 120_000);
  assert.equal(readRetryAfter("Thu, 01 Jan 2026 00:01:00 GMT", now), 60_000);
  assert.equal(readRetryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now), 0);
  for (const text of [undefined, "", "soon", "-5"]) assert.ok([undefined, 0].includes(readRetryAfter(text, now)));
});

test("the usual schedule goes from seconds to hours and lasts about a day, less than the time until an endpoint is disabled", () => {
  const { retryDelaysMs, disableAfterMs } = readConfig({
    FERRY_NOTIFY_KEY_SECRET: Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString("base64"),
    ...{ FERRY_SERVICE_KEY_FILE: "k", FERRY_SERVICE_TRUST_FILE: "t" },
  });
  const hours = retryDelaysMs.reduce((sum, delayMs) => sum + delayMs, 0) / 3_600_000;
  assert.ok(hours > 22 && hours < 26, `${hours} h`);
  assert.ok(retryDelaysMs[0]! < 10_000 && retryDelaysMs.at(-1)! > 3_600_000);
  assert.ok(disableAfterMs > hours * 3_600_000 * 1.2);
});
