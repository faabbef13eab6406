import assert from "node:assert/strict";
import { test } from "node:test";
import { readBatchCsv } from "./batch-csv.ts";
import { accountsOf, type BatchFacts, type BatchLine, judgeLine, judgeLines } from "./batch-line.ts";

const SOURCE = "0190b2c4-0000-7000-8000-00000000000a";
const OTHER = "0190b2c4-0000-7000-8000-00000000000b";
const MEMBER = "m1";

const line = (changes: Partial<BatchLine> = {}): BatchLine => ({
  line: 1,
  reference: "",
  sourceAccountId: SOURCE,
  destination: { kind: "bank", bankCode: "081", accountNumber: "20000001" },
  currency: "EUR",
  amountMinor: 1n,
  memo: "",
  ...changes,
});
const facts: BatchFacts = {
  memberState: "active",
  accounts: new Map([
    [SOURCE, { ownerId: MEMBER, currency: "EUR", open: true }],
    [OTHER, { ownerId: "m2", currency: "EUR", open: true }],
  ]),
};

const refusals: [changes: Partial<BatchLine>, code: string, message: RegExp][] = [
  [{ reference: "r".repeat(65) }, "INVALID_REQUEST", /^reference/],
  [{ sourceAccountId: "" }, "INVALID_REQUEST", /^source_account_id: neither/],
  [{ sourceAccountId: "mine" }, "INVALID_REQUEST", /^source_account_id: must be a UUID/],
  [{ destination: undefined }, "INVALID_REQUEST", /^destination/],
  [{ destination: { kind: "account", accountId: "x" } }, "INVALID_REQUEST", /account_id: must be a UUID/],
  [{ destination: { kind: "bank", bankCode: "81", accountNumber: "20000001" } }, "INVALID_REQUEST", /bank_code/],
  [{ destination: { kind: "bank", bankCode: "081", accountNumber: "20 0001" } }, "INVALID_REQUEST", /account_number/],
  [{ currency: "eur" }, "INVALID_REQUEST", /^amount.currency/],
  [{ amountMinor: 0n }, "INVALID_REQUEST", /^amount/],
  [{ amountMinor: -1n }, "INVALID_REQUEST", /^amount/],
  [{ amountMinor: undefined }, "INVALID_REQUEST", /^amount/],
  [{ memo: "m".repeat(141) }, "INVALID_REQUEST", /^memo/],
  [{ currency: "USD" }, "CURRENCY_MISMATCH", /EUR/],
  [{ sourceAccountId: OTHER }, "NOT_FOUND", /no account/],
  [{ wrong: { code: "INVALID_REQUEST", message: "line 7" } }, "INVALID_REQUEST", /line 7/],
];

for (const [changes, code, message] of refusals)
  test(`refused: ${JSON.stringify(changes, (_, value) => (typeof value === "bigint" ? String(value) : value))}`, () => {
    const verdict = judgeLine(MEMBER, line(changes), facts);
    assert.ok(verdict.kind === "refused");
    assert.equal(verdict.failure.code, code);
    assert.match(verdict.failure.message, message);
  });

test("a line at the limits is payable: 64 characters of reference, 140 of memo, as people count them", () => {
  const changes = { reference: "r".repeat(64), memo: "\u{1F600}".repeat(140), amountMinor: 2n ** 63n - 1n };
  assert.equal(judgeLine(MEMBER, line(changes), facts).kind, "payable");
});

test("the same twice: by reference where there is one, else by accounts, amount and memo; the first counts", () => {
  const lines = [
    line({ line: 1 }),
    line({ line: 2 }),
    line({ line: 3, memo: "x" }),
    line({ line: 4, amountMinor: 0n }),
    line({ line: 5, amountMinor: 0n }),
    line({ line: 6, reference: "a" }),
    line({ line: 7, reference: "a", amountMinor: 9n }),
    line({ line: 8, reference: "b" }),
  ];
  const kinds = judgeLines(MEMBER, lines, facts).map(({ kind }) => kind);
  const expected = ["payable", "duplicate", "payable", "refused", "duplicate", "payable", "duplicate", "payable"];
  assert.deepEqual(kinds, expected);
});

test("only what can be an account is asked for, each once", () => {
  const to = { destination: { kind: "account" as const, accountId: OTHER } };
  const asked = accountsOf([line(to), line(to), line({ sourceAccountId: "x" })]);
  assert.deepEqual([...asked].sort(), [SOURCE, OTHER]);
});

const csv = (...rows: string[]) => readBatchCsv(new TextEncoder().encode(rows.join("\r\n")));
const HEADER = "reference,sourceAccountId,destinationAccountId,bankCode,accountNumber,currency,minorUnits,memo";

test("CSV: every column, in any order, and no more of them than are needed", () => {
  const [whole] = csv(HEADER, `r1,${SOURCE.toUpperCase()},,081,20000001,EUR,1250,rent`);
  assert.deepEqual(whole, line({ reference: "r1", amountMinor: 1_250n, memo: "rent" }));
  const [few] = csv("minorUnits,currency,destinationAccountId", `5,EUR,${OTHER.toUpperCase()}`);
  const to = { kind: "account", accountId: OTHER } as const;
  assert.deepEqual(few, line({ sourceAccountId: "", destination: to, amountMinor: 5n }));
});

test("CSV: an amount that is none, and two destinations, are results of their lines", () => {
  for (const amount of ["", "0", "-1", "1.5", "1e2", "+1", " 1", "9223372036854775808"]) {
    const [, bad] = csv(
      "minorUnits,currency,bankCode,accountNumber",
      "1,EUR,081,20000001",
      `${amount},EUR,081,20000001`,
    );
    assert.match(bad?.wrong?.message ?? "", /^line 3 of the CSV, column minorUnits/, amount);
  }
  const [both] = csv("minorUnits,currency,destinationAccountId,bankCode,accountNumber", `1,EUR,${OTHER},081,20000001`);
  assert.match(both?.wrong?.message ?? "", /column destinationAccountId/);
});

const headers: [rows: string[], message: RegExp][] = [
  [["currency,minorUnits,iban", "EUR,1,x"], /line 1, column 3: no column is called "iban"/],
  [["currency,minorUnits,currency,bankCode,accountNumber", "a,b,c,d,e"], /line 1, column 3: .* twice/],
  [["currency,bankCode,accountNumber", "EUR,081,20000001"], /the column minorUnits is missing/],
  [["currency,minorUnits,bankCode", "EUR,1,081"], /destinationAccountId, or bankCode and accountNumber/],
  [["minorUnits,currency,destinationAccountId"], /a header line and at least one more/],
  [["minorUnits,currency,destinationAccountId", "1,EUR"], /line 2, column 3: has 2 fields, and the header 3/],
  [["minorUnits,currency,destinationAccountId", "1,EUR,x,y"], /line 2, column 4: has 4 fields/],
];

for (const [rows, message] of headers)
  test(`CSV refused: ${message}`, () => assert.throws(() => csv(...rows), message));
