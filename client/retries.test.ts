import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryApiError } from "./errors.ts";
import { DEFAULT_RETRIES, delayBeforeRetry, pause } from "./retries.ts";

const failure = (code: FerryApiError["code"], retryable: boolean, retryAfterMs?: number) =>
  new FerryApiError("no", { code, status: 503, retryable, retryAfterMs });
const delay = (error: unknown, tried = 1, retrySafe = true, random = () => 1) =>
  delayBeforeRetry(error, tried, retrySafe, DEFAULT_RETRIES, random);

test("waits double up to a limit, a random part of them is waited, and retries end", () => {
  const away = failure("UNAVAILABLE", true);
  assert.deepEqual(
    [1, 2, 3, 4].map((tried) => delay(away, tried)),
    [200, 400, 800, undefined],
  );
  assert.equal(
    delay(away, 2, true, () => 0.25),
    100,
  );
  const many = { ...DEFAULT_RETRIES, maxRetries: 20 };
  assert.equal(
    delayBeforeRetry(away, 20, true, many, () => 1),
    5_000,
  );
});

test("never sooner than the API asks for, and not at all when that is too long", () => {
  assert.equal(
    delay(failure("RATE_LIMITED", true, 7_000), 1, true, () => 0),
    7_000,
  );
  assert.equal(delay(failure("RATE_LIMITED", true, 31_000)), undefined);
});

test("only what may pass is tried again; what must not come twice only when nothing was done", () => {
  assert.equal(delay(failure("INVALID_REQUEST", false)), undefined);
  assert.equal(delay(new Error("the signal's reason")), undefined);
  assert.equal(delay(failure("UNAVAILABLE", true), 1, false), undefined);
  assert.equal(delay(failure("TIMED_OUT", true), 1, false), undefined);
  assert.equal(delay(failure("OVERLOADED", true), 1, false), 200);
});

test("a signal ends a wait", async () => {
  const abort = new AbortController();
  const paused = pause(60_000, abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(paused, /enough/);
  await assert.rejects(pause(60_000, abort.signal), /enough/);
});
