import assert from "node:assert/strict";
import { test } from "node:test";
import { VerifyAccountResponseSchema } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { defineSaga, exchange, parallel, pivot, step } from "./define.ts";
import { exampleSaga } from "./send-money.example.ts";

const [verify, hold, send, settle] = exampleSaga.steps.map(({ ask }) => ask);
const [, holdStep] = exampleSaga.steps;
if (verify === undefined || hold === undefined || send === undefined || settle === undefined)
  throw new Error("the example has four steps");
const undo = holdStep?.undo;
const replyAsCommand = exchange({
  request: VerifyAccountResponseSchema,
  reply: VerifyAccountResponseSchema,
  ask: () => ({}),
  answer: () => ({ kind: "done" as const }),
});

test("a table that cannot work is refused where it is written, with the step and what is wrong", () => {
  const afterwards = { ask: settle, retries: "until-done" as const };
  const tables: [steps: Parameters<typeof defineSaga>[2], wrong: RegExp][] = [
    [[], /has no steps/],
    [[step("Place", { ask: hold })], /step Place: its name/],
    [[step("hold", { ask: hold }), step("hold", { ask: verify })], /step hold: the name is used twice/],
    [[pivot("send", { ask: send }), pivot("send-again", { ask: settle })], /more than one pivot/],
    [[step("hold", { ask: hold, timeoutMs: 0 })], /timeoutMs/],
    [[step("hold", { ask: hold, retries: -1 })], /retries is neither/],
    [[step("hold", { ask: hold, retries: "until-done" })], /before the pivot: its retries are limited/],
    [[pivot("send", { ask: send }), step("settle", { ask: settle })], /step settle: .* until-done/],
    [[pivot("send", { ask: send }), step("hold", { ask: hold, undo, retries: "until-done" })], /cannot be undone/],
    [[{ ...pivot("send", { ask: send }), undo }], /a pivot has no undo/],
    [[step("hold", { ask: hold, whenUnknown: hold })], /same type of reply/],
    [[step("hold", { ask: hold, backoff: { firstMs: 10, maxMs: 5 } })], /backoff/],
    [[parallel([step("hold", { ask: hold })])], /fewer than two/],
    [[parallel([step("hold", { ask: hold }), pivot("send", { ask: send })])], /pivot cannot run side by side/],
    [
      [pivot("send", { ask: send }), parallel([step("a", afterwards), step("b", afterwards)])],
      /after the pivot .* side by/,
    ],
    [[parallel(Array.from({ length: 17 }, (_, index) => step(`a${index}`, { ask: hold })))], /more than 16/],
    [[step("hold", { ask: hold, undo: hold })], /same type of reply/],
    [[{ ...step("hold", { ask: hold }), void: verify }], /only a pivot is voided/],
    [[pivot("send", { ask: send, void: send })], /same type of reply/],
    [[step("verify", { ask: replyAsCommand })], /VerifyAccountResponse names no topic/],
  ];
  for (const [steps, wrong] of tables) assert.throws(() => defineSaga("bad", 1, steps), wrong);
  assert.throws(() => defineSaga("Bad", 1, [step("hold", { ask: hold })]), /its name/);
  assert.throws(() => defineSaga("bad", 0, [step("hold", { ask: hold })]), /its version/);
});

test("an exchange refuses a reply of another type", () => {
  const [reply] = [hold.ask({ id: "s", state: { accountId: "a", amountMinor: 1n } } as never)];
  assert.throws(() => verify.answer(reply, { id: "s", state: {} as never }), /is no reply to/);
});
