// One unary hop as the platform makes it most: transfer asks ledger for an account's facts.
import { create } from "@bufbuild/protobuf";
import {
  AccountFactsSchema,
  AccountState,
  type BatchGetAccountFactsRequest,
  BatchGetAccountFactsResponseSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { newTraceparent } from "@ferry/platform/telemetry";

export const [CALLER, CALLED] = ["transfer", "ledger"];
export const PATH = "/ferry.ledger.v1.LedgerService/BatchGetAccountFacts";
/** As the contract has it. */
export const DEADLINE_MS = 1_000;

/** The caller's keys. */
export interface HopSetUp {
  privateKeyPem: string;
  publicKeyPem: string;
}

/** One way to make the hop. */
export interface Hop {
  /** Serves on a free port of 127.0.0.1. @returns the port. */
  serve(setUp: HopSetUp): Promise<number>;
  /** @returns a call, which throws unless the answer is right. */
  connect(port: number, setUp: HopSetUp): Promise<() => Promise<void>>;
}

const POOL = 1_024;
const accountIds = Array.from({ length: POOL }, () => newUuid());
const requestIds = accountIds.map(() => newUuid());
const traceparents = accountIds.map(() => newTraceparent());
let next = 0;

/** What the next call says: an account, and the ids of the work that it belongs to. */
export function nextCall(): { accountId: string; requestId: string; traceparent: string } {
  const index = next++ % POOL;
  return { accountId: accountIds[index]!, requestId: requestIds[index]!, traceparent: traceparents[index]! };
}

const OWNER = newUuid();

/** The answer, from memory. */
export function answer(request: BatchGetAccountFactsRequest) {
  const facts = create(AccountFactsSchema, { ownerId: OWNER, currency: "EUR", state: AccountState.OPEN });
  return create(BatchGetAccountFactsResponseSchema, {
    accounts: Object.fromEntries(request.accountIds.map((id) => [id, facts])),
  });
}
