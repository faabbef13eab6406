// What is asked for and what is to come of it, in the words of the contract.
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Transfer,
  TransferSchema,
  TransferStatus,
} from "../../peers/edge/contract/bench/transfer/v1/transfer_pb.ts";

/** What the backend has none of. */
export const MISSING_ID = "missing";
/** Of every transfer that is created: the peers know no idempotency key to make one of. */
export const CREATED_ID = "tr_created";

/** Above 2^53, which a number of JSON would round; a text that is not all ASCII; times with and without fractions. */
export function transferOf(id: string): Transfer {
  return create(TransferSchema, {
    id,
    sourceAccount: "ACC-000123456789",
    destination: { bankCode: "014", accountNumber: "9876543210" },
    amount: { currencyCode: "IDR", minorUnits: 9_007_199_254_740_993n },
    fee: { currencyCode: "IDR", minorUnits: 650_000n },
    memo: "Invoice 2026/11 – thank you",
    status: TransferStatus.SETTLED,
    reference: "REF-20261121-000042",
    createdAt: timestampFromMs(Date.UTC(2026, 10, 21, 9)),
    updatedAt: timestampFromMs(Date.UTC(2026, 10, 21, 9, 0, 1, 456)),
    instant: true,
    version: 3,
  });
}

/** The body of a request that keeps every rule, with an escape and a text beyond ASCII. */
export const CREATE_BODY = {
  sourceAccount: "ACC-000123456789",
  destination: { bankCode: "014", accountNumber: "9876543210" },
  amount: { currencyCode: "IDR", minorUnits: "9007199254740993" },
  memo: 'Rent "November" – é',
};

const TOLD = {
  sourceAccount: "ACC-000123456789",
  destination: { bankCode: "014", accountNumber: "9876543210" },
  amount: { currencyCode: "IDR", minorUnits: "9007199254740993" },
  fee: { currencyCode: "IDR", minorUnits: "650000" },
  status: "TRANSFER_STATUS_SETTLED",
  reference: "REF-20261121-000042",
  createdAt: "2026-11-21T09:00:00Z",
  updatedAt: "2026-11-21T09:00:01.456Z",
  instant: true,
  version: 3,
};

/** The JSON of a transfer that was asked for; written by hand, since all who answer make theirs by a library. */
export const toldOf = (id: string) => ({ id, ...TOLD, memo: "Invoice 2026/11 – thank you" });
/** The JSON of a transfer that was created by `CREATE_BODY`. */
export const TOLD_CREATED = { id: CREATED_ID, ...TOLD, ...CREATE_BODY };
