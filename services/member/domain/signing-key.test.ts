import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseSigningKey, isRotationDue, type KeyTimes, planRotation } from "./signing-key.ts";

const at = (ms: number) => new Date(1_800_000_000_000 + ms);
const key = (kid: string, createdAt: number, signsFrom: number, retireAt?: number): KeyTimes => ({
  kid,
  createdAt: at(createdAt),
  signsFrom: at(signsFrom),
  retireAt: retireAt === undefined ? undefined : at(retireAt),
});

test("a successor signs only when it may, and the former one until then", () => {
  const keys = [key("old", 0, 0, 700), key("new", 40, 100)];
  assert.equal(chooseSigningKey(keys, at(99))?.kid, "old");
  assert.equal(chooseSigningKey(keys, at(100))?.kid, "new");
  assert.equal(chooseSigningKey([key("old", 0, 0, 700)], at(700)), undefined);
  assert.equal(chooseSigningKey([], at(0)), undefined);
});

test("rotation is due without a key, or when the newest is of age", () => {
  assert.equal(isRotationDue([], at(0), 100), true);
  assert.equal(isRotationDue([key("a", 0, 0)], at(99), 100), false);
  assert.equal(isRotationDue([key("a", 0, 0)], at(100), 100), true);
  assert.equal(isRotationDue([key("a", 0, 0, 900), key("b", 100, 160)], at(150), 100), false);
  assert.equal(isRotationDue([key("a", 0, 0, 900)], at(1), 100), true);
});

test("the first key signs at once; a later one is published first, and the former outlives its last token", () => {
  const times = { overlapMs: 60, tokenLifeMs: 600 };
  assert.deepEqual(planRotation([], at(5), times), { signsFrom: at(5), retireOthersAt: at(605) });
  assert.deepEqual(planRotation([key("a", 0, 0)], at(5), times), { signsFrom: at(65), retireOthersAt: at(665) });
});
