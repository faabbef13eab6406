import assert from "node:assert/strict";
import { test } from "node:test";
import { capTimeout, LONGEST_MS } from "./deadline.ts";

const capped = (name: string, value: string, capMs: number) => {
  const headers = new Headers({ [name]: value });
  capTimeout(headers, capMs);
  return headers.get(name);
};

test("a caller's time is cut down to the contract's, in every unit", () => {
  assert.equal(capped("connect-timeout-ms", "5001", 5_000), "5000");
  assert.equal(capped("connect-timeout-ms", "9999999999", 5_000), "5000");
  for (const value of ["6S", "1M", "1H", "5001m", "5000001u", "99999999H"])
    assert.equal(capped("grpc-timeout", value, 5_000), "5000m", value);
  assert.equal(capped("grpc-timeout", "99999999S", LONGEST_MS), "2147483S");
});

test("what is shorter, and what is no time, stays as it is", () => {
  for (const value of ["0", "5000", "12345678901", "-1", "soon"])
    assert.equal(capped("connect-timeout-ms", value, 5_000), value);
  for (const value of ["0m", "5S", "99999999n", "123456789m", "5", "5s"])
    assert.equal(capped("grpc-timeout", value, 5_000), value);
});
