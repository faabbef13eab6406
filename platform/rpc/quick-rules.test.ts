import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { BankingService } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { CreateTopUpRequestSchema, PaymentService } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import {
  CreateTransferRequestSchema,
  GetTransferRequestSchema,
  ListTransfersRequestSchema,
  TransferService,
} from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import fc from "fast-check";
import { compileNullCheck } from "./null-characters.ts";
import { compileProof } from "./quick-rules.ts";

const ID = "0190b2c4-0000-7000-8000-00000000000a";
const inputs = [
  BankingService,
  LedgerService,
  MemberService,
  PaymentService,
  ParkedSagaService,
  TransferService,
].flatMap(({ methods }) => methods.map(({ input }) => input));
const validator = createValidator();

/** Texts that keep the rules of some field, and texts that keep none or are at the edge of one. */
const TEXT = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(ID, "EUR", "081", "2200004321", "a@b.example", "") },
  { weight: 2, arbitrary: fc.constantFrom(`${ID}\n`, "eur", "EURO", "a\u0000b", "081\n", "1", "😀".repeat(100)) },
  { weight: 1, arbitrary: fc.string({ maxLength: 300 }) },
);
const SCALARS: Partial<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  [ScalarType.STRING]: TEXT,
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.INT32]: fc.oneof(fc.constantFrom(-1, 0, 1, 200, 201), fc.integer()),
  [ScalarType.INT64]: fc.oneof(fc.constantFrom(-1n, 0n, 1n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
};

function anyMessageOf(desc: DescMessage): fc.Arbitrary<Message> {
  if (desc.typeName.startsWith("google.protobuf.")) return fc.constant(create(desc));
  const fields = desc.fields.map((field) => fc.option(anyValueOf(field), { nil: undefined, freq: 8 }));
  return fc.tuple(...fields).map((values) => {
    const message = create(desc) as Message & Record<string, unknown>;
    for (const [index, value] of values.entries()) {
      const { localName, oneof } = desc.fields[index]!;
      if (value === undefined) continue;
      message[oneof?.localName ?? localName] = oneof === undefined ? value : { case: localName, value };
    }
    return message;
  });
}

function anyValueOf(field: DescField): fc.Arbitrary<unknown> {
  const one =
    field.message !== undefined
      ? anyMessageOf(field.message)
      : field.enum !== undefined
        ? fc.integer({ min: -1, max: field.enum.values.length + 1 })
        : SCALARS[field.scalar]!;
  return field.fieldKind === "list" ? fc.array(one, { maxLength: 3 }) : one;
}

for (const desc of new Set(inputs)) {
  const proves = compileProof(desc);
  if (proves === undefined) continue;
  test(`what is proven of a ${desc.typeName} is what protovalidate says`, () => {
    const findNulls = compileNullCheck(desc);
    fc.assert(
      fc.property(anyMessageOf(desc), (message) => {
        if (!proves(message)) return;
        assert.equal(validator.validate(desc, message).kind, "valid");
        assert.deepEqual(findNulls(message), []);
      }),
      { numRuns: 300 },
    );
  });
}

test("messages of the busiest calls are proven", () => {
  const money = { currency: "EUR", minorUnits: 1n };
  const kind = { case: "bankAccount" as const, value: { bankCode: "081", accountNumber: "2200004321" } };
  const cases: [DescMessage, Record<string, unknown>][] = [
    [CreateTransferRequestSchema, { sourceAccountId: ID, amount: money, destination: { kind }, memo: "tea" }],
    [CreateTopUpRequestSchema, { accountId: ID, amount: money, bankAccount: kind.value }],
    [GetTransferRequestSchema, { transferId: ID }],
    [ListTransfersRequestSchema, { pageSize: 200 }],
    [LedgerService.method.batchGetAccountFacts.input, { accountIds: [ID] }],
  ];
  for (const [desc, fields] of cases) assert.equal(compileProof(desc)?.(create(desc, fields)), true, desc.typeName);
});

test("rules that are not known are left to protovalidate", () => {
  assert.equal(compileProof(MemberService.method.createMember.input), undefined, "it has an e-mail address");
});
