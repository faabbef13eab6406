import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { open } from "../../local/bank/bank.fixture.ts";
import { type BankAnswer, SimulatedBank } from "./bank.ts";

/** For an answer that is to come, also on a busy machine: below the end of the real bank's silence. */
const PATIENCE_MS = 9_000;
/** For one that is not to come: above a late answer. */
const SILENCE_MS = 550;
const amount = { currency: "EUR", minorUnits: "1250" };

type Step = [method: string, path: string, body?: Record<string, unknown>];

function stepsFor(accountNumber: string): Step[] {
  const reference = `r-${accountNumber}`;
  const verify: Step = ["POST", "/v1/account-verifications", { reference, accountNumber }];
  const send: Step = [
    "POST",
    "/v1/payments",
    { reference, creditorAccountNumber: accountNumber, amount, memo: "rent" },
  ];
  const other: Step = ["POST", "/v1/payments", { ...send[2], amount: { ...amount, minorUnits: "1251" } }];
  const ask: Step = ["GET", `/v1/payments/${reference}`];
  const debit: Step = [
    "POST",
    "/v1/debits",
    { reference: `d${reference}`, debtorAccountNumber: accountNumber, memberId: "ann", amount },
  ];
  const askDebit: Step = ["GET", `/v1/payments/d${reference}`];
  return [
    verify,
    verify,
    verify,
    verify,
    ask,
    send,
    ask,
    send,
    other,
    send,
    send,
    ask,
    debit,
    askDebit,
    debit,
    askDebit,
  ];
}

async function compare(t: TestContext, digits: string): Promise<void> {
  const real = await open(t);
  const simulated = new SimulatedBank();
  for (const prefix of ["2000", "1100"])
    for (const [method, path, body] of stepsFor(`${prefix}${digits}`)) {
      const answer = simulated.answer(method, path, body && JSON.stringify(body), new Date());
      const patienceMs = answer.comes === "never" ? SILENCE_MS : PATIENCE_MS;
      const expected = await real.call(method, path, body, patienceMs).then(
        ({ status, body: said }) => ({ status, body: withoutTime(said) }),
        (error: Error) => (error instanceof SyntaxError ? "broken" : error.name === "TimeoutError" ? "never" : error),
      );
      assert.deepEqual(readable(answer), expected, `${method} ${path}`);
    }
}

function readable({ status, body, comes }: BankAnswer) {
  if (comes === "never") return "never";
  try {
    return { status, body: withoutTime(JSON.parse(body)) };
  } catch {
    return "broken";
  }
}

const withoutTime = ({ time: _, ...rest }: Record<string, unknown>) => rest;

const DIGITS = ["0001", "9404", "9409", "9402", "9500", "9501", "9504", "9505", "9400", "9999"];

// Side by side: most of it is waiting for answers that do not come.
test("the simulated bank answers as the real one does", { concurrency: true }, async (t) => {
  await Promise.all(DIGITS.map((digits) => t.test(`accounts that end in ${digits}`, (each) => compare(each, digits))));
});
