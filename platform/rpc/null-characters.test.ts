import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import { WatchAuthorityRequestSchema } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import { CreateTransferRequestSchema } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { compileNullCheck } from "./null-characters.ts";

const NUL = "\u0000";
const fieldsOf = (violations: readonly { field: string }[]) => violations.map(({ field }) => field);

test("a NUL is found in a plain text and in the chosen member of a oneof", () => {
  const check = compileNullCheck(CreateTransferRequestSchema);
  const bankAccount = { bankCode: "081", accountNumber: `1${NUL}` };
  const bad = create(CreateTransferRequestSchema, {
    memo: NUL,
    destination: { kind: { case: "bankAccount", value: bankAccount } },
  });
  assert.deepEqual(fieldsOf(check(bad)).sort(), ["destination.bank_account.account_number", "memo"]);
  const good = create(CreateTransferRequestSchema, {
    memo: "rent",
    destination: { kind: { case: "accountId", value: "0" } },
  });
  assert.deepEqual(check(good), []);
});

test("a NUL is found in messages that hold themselves, in lists, and in maps", () => {
  const inner = { name: "Inner", field: [{ name: "ok" }, { name: `a${NUL}` }] };
  const file = create(FileDescriptorProtoSchema, { messageType: [{ name: "Outer", nestedType: [inner] }] });
  assert.deepEqual(fieldsOf(compileNullCheck(FileDescriptorProtoSchema)(file)), [
    "message_type[0].nested_type[0].field[1].name",
  ]);
  const inJson = compileNullCheck(FileDescriptorProtoSchema, ({ jsonName }) => jsonName);
  assert.deepEqual(fieldsOf(inJson(file)), ["messageType[0].nestedType[0].field[1].name"]);
  const struct = create(StructSchema, {
    fields: {
      a: { kind: { case: "stringValue", value: NUL } },
      [`b${NUL}`]: { kind: { case: "boolValue", value: true } },
    },
  });
  assert.deepEqual(fieldsOf(compileNullCheck(StructSchema)(struct)), ['fields["a"].string_value', "fields"]);
});

test("a message without texts needs no search", () => {
  assert.deepEqual(compileNullCheck(WatchAuthorityRequestSchema)(create(WatchAuthorityRequestSchema)), []);
});
