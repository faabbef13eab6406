import assert from "node:assert/strict";
import { test } from "node:test";
import { sendStep, verifyStep } from "./behavior.ts";

const verifications = (account: string) => [1, 2, 3, 4].map((attempt) => verifyStep(account, attempt));
const sends = (account: string) =>
  [1, 2, 3, 4].map((attempt) => {
    const step = sendStep(account, attempt);
    return step.does === "refused" ? "refused" : `${step.does}, ${step.answers}`;
  });
const four = <T>(value: T): T[] => [value, value, value, value];

test("what the last four digits say of a verification", () => {
  for (const account of ["10000000", "10008999", "10009402", "10009500", "10009999"]) {
    assert.deepEqual(verifications(account), four("ok"), account);
  }
  assert.deepEqual(verifications("10009404"), four("unknown"));
  assert.deepEqual(verifications("10009409"), four("closed"));
  assert.deepEqual(verifications("10009501"), ["error", "error", "error", "ok"]);
});

test("what the last four digits say of a payment", () => {
  for (const account of ["10000000", "10008999", "10009501", "9402000012"]) {
    assert.deepEqual(sends(account), four("done, at once"), account);
  }
  assert.deepEqual(sends("10009402"), four("refused"));
  assert.deepEqual(sends("10009404"), four("refused"));
  assert.deepEqual(sends("10009409"), four("refused"));
  assert.deepEqual(sends("10009500"), [...four("nothing, error").slice(1), "done, at once"]);
  assert.deepEqual(sends("10009505"), ["nothing, silent", "nothing, silent", "done, at once", "done, at once"]);
  assert.deepEqual(sends("10009504"), four("done, late"));
  assert.deepEqual(sends("10009400"), four("done, broken"));
  assert.deepEqual(sends("10009999"), four("nothing, silent"));
});
