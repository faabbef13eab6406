import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CreateTransferRequestSchema } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import { compileRules, type FieldNames } from "./validation.ts";

const GOOD = {
  sourceAccountId: "0190b2c4-0000-7000-8000-00000000000a",
  amount: { currency: "EUR", minorUnits: 1n },
  destination: {
    kind: { case: "bankAccount" as const, value: { bankCode: "081", accountNumber: "2200004321" } },
  },
};

function fieldsOf(names: FieldNames, fields: object): string[] {
  try {
    compileRules(CreateTransferRequestSchema, names)(create(CreateTransferRequestSchema, { ...GOOD, ...fields }));
    return [];
  } catch (error) {
    assert.ok(error instanceof FerryError && error.reason === "INVALID_REQUEST", String(error));
    return error.fields.map(({ field }) => field);
  }
}

test("all fields that break a rule are told, by the names that whoever is told knows", () => {
  const kind = { case: "bankAccount", value: { bankCode: "081", accountNumber: "none" } };
  const bad = { sourceAccountId: "mine", memo: "a\u0000b", destination: { kind } };
  assert.deepEqual(fieldsOf("contract", bad).sort(), [
    ...["destination.bank_account.account_number", "memo", "source_account_id"],
  ]);
  assert.deepEqual(fieldsOf("json", bad).sort(), ["destination.bankAccount.accountNumber", "memo", "sourceAccountId"]);
  for (const names of ["contract", "json"] as const) assert.deepEqual(fieldsOf(names, {}), []);
});

test("the rules of a type are compiled once for each way to name its fields", () => {
  const compile = (names?: FieldNames) => compileRules(CreateTransferRequestSchema, names);
  assert.equal(compile(), compile("contract"));
  assert.equal(compile("json"), compile("json"));
  assert.notEqual(compile(), compile("json"));
});
