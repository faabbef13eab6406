import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "./call.ts";
import { type PaymentFacts, stoppedByVoid, voidAfterAsking, voidByRecords } from "./void.ts";

const nothing: PaymentFacts = { done: false, refusal: undefined, underWay: false, asked: false, quiet: true };
const refusal = { code: "BANK_REFUSED", message: "no" } as const;
const short = (outcome: Outcome | undefined) => outcome && [outcome.kind, outcome.failure?.code];
const VOIDED = ["refused", "PAYMENT_VOIDED"];
const NOT_KNOWN = ["unknown", "BANK_OUTCOME_UNKNOWN"];
const MAY_STILL_BE = ["unknown", "STEP_OUTCOME_UNKNOWN"];

test("by the records: what was never sent is voided, what has ended ended so, and the bank is asked of the rest", () => {
  assert.deepEqual(short(voidByRecords(nothing)), VOIDED);
  const asked = { ...nothing, asked: true };
  assert.equal(voidByRecords(asked), undefined);
  assert.deepEqual(short(voidByRecords({ ...asked, underWay: true })), MAY_STILL_BE);
  assert.deepEqual(short(voidByRecords({ ...asked, refusal })), ["refused", "BANK_REFUSED"]);
  assert.deepEqual(short(voidByRecords({ ...asked, refusal, underWay: true })), MAY_STILL_BE, "its end may be another");
  assert.deepEqual(short(voidByRecords({ ...asked, done: true, underWay: true })), ["done", undefined]);
});

test("by the bank's word: not found voids only once nothing was sent for long enough", () => {
  const asked = { ...nothing, asked: true };
  const answered = (kind: Outcome["kind"], quiet = true) =>
    short(voidAfterAsking({ ...asked, quiet }, { kind, failure: refusal, detail: "" }));
  assert.deepEqual(short(voidAfterAsking(asked, { kind: "done", detail: "" })), ["done", undefined]);
  assert.deepEqual(answered("refused"), ["refused", "BANK_REFUSED"]);
  assert.deepEqual(answered("not-found"), VOIDED);
  assert.deepEqual(answered("not-found", false), NOT_KNOWN);
  assert.deepEqual(answered("unknown"), NOT_KNOWN);
  assert.deepEqual(answered("unavailable"), NOT_KNOWN);
});

test("a payment under a voided reference is refused where nothing can have been sent, and unknown where it can", () => {
  assert.deepEqual(short(stoppedByVoid(nothing, false)), VOIDED);
  assert.deepEqual(short(stoppedByVoid(nothing, true)), NOT_KNOWN, "who had it before may have sent it");
  assert.deepEqual(short(stoppedByVoid({ ...nothing, asked: true }, false)), ["unknown", "PAYMENT_VOIDED"]);
  assert.deepEqual(short(stoppedByVoid({ ...nothing, underWay: true }, false)), ["unknown", "PAYMENT_VOIDED"]);
  assert.deepEqual(short(stoppedByVoid({ ...nothing, done: true }, false)), ["done", undefined]);
  assert.deepEqual(short(stoppedByVoid({ ...nothing, refusal }, false)), ["refused", "BANK_REFUSED"]);
});
