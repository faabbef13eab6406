import type { Client } from "@connectrpc/connect";
import type { PaymentRecordService } from "@ferry/gen/ferry/banking/v1/payments_pb.ts";
import type { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import type { PostingService } from "@ferry/gen/ferry/ledger/v1/postings_pb.ts";
import {
  auditMigrations,
  auditRoutes,
  createAuditor,
  type FeedOptions,
  type Findings,
  type FoundBreach,
  feedCheck,
  outboxCheck,
  sagaCheck,
  sweepCheck,
} from "@ferry/platform/audit";
import type { Database, Migrations } from "@ferry/platform/db";
import type { ServiceAudit } from "@ferry/platform/lifecycle";
import type { Outbox } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import { type AuditedTransfer, checkOwn, checkPayment, checkPostings, hasEnded } from "./agree.ts";
import { FIND_SKIPPED, LOOK_AGAIN_AT_TRANSFERS, LOOK_AT_TRANSFERS, MEASURE_TRANSFERS } from "./statements.ts";

/** What the auditor needs in the database, after the service's own. */
export const transferAuditMigrations: readonly Migrations[] = [
  auditMigrations,
  { name: "transfer_audit", directory: `${import.meta.dirname}/migrations` },
];

export interface TransferAuditDeps {
  database: Database;
  outbox: Outbox;
  logger: Logger;
  /** How long one step is tried before its saga is parked, in milliseconds. */
  parkAfterMs: number;
  ledger: Pick<Client<typeof LedgerService>, "freezeAccounts">;
  postings: Client<typeof PostingService>;
  payments: Client<typeof PaymentRecordService>;
}

/** References in one call to a neighbor, as the contract allows. */
const ASKED_AT_ONCE = 1_000;
const LONGEST_REASON = 500;
/** A saga has this many steps that may each take as long as a step may. */
const STEPS = 6;
const MARGIN_MS = 600_000;

function chunks<Item>(items: readonly Item[]): Item[][] {
  const count = Math.ceil(items.length / ASKED_AT_ONCE);
  return Array.from({ length: count }, (_, at) => items.slice(at * ASKED_AT_ONCE, (at + 1) * ASKED_AT_ONCE));
}

/** What comes of each transfer: its own books first, then the neighbors' where it has ended. */
function transferFeed({ database, postings, payments }: TransferAuditDeps): FeedOptions {
  async function neighborsOf(ended: readonly AuditedTransfer[]): Promise<FoundBreach[]> {
    const ids = ended.map(({ id }) => id);
    const atBank = ended.filter(({ bank_code }) => bank_code !== null).map(({ id }) => id);
    const [posted, paid] = await Promise.all([
      Promise.all(chunks(ids).map((references) => postings.batchGetPostings({ references }))),
      Promise.all(chunks(atBank).map((references) => payments.batchGetPayments({ references }))),
    ]);
    const postingsOf = new Map(posted.flatMap((answer) => answer.postings).map((one) => [one.reference, one]));
    const paymentOf = new Map(paid.flatMap((answer) => answer.payments).map((one) => [one.reference, one]));
    const found = ended.flatMap((transfer) => {
      const breach =
        checkPostings(transfer, postingsOf.get(transfer.id)) ??
        (transfer.bank_code === null ? undefined : checkPayment(transfer, paymentOf.get(transfer.id)));
      return breach === undefined ? [] : [breach];
    });
    return withoutSkipped(found);
  }

  /** An operator went on without a step of these: then the books need not agree, and a person has seen to it. */
  async function withoutSkipped(found: readonly FoundBreach[]): Promise<FoundBreach[]> {
    if (found.length === 0) return [];
    const rows = await database.query<{ id: string }>(FIND_SKIPPED, [found.map(({ subject }) => subject)]);
    const skipped = new Set(rows.map(({ id }) => id));
    return found.filter(({ subject }) => !skipped.has(subject));
  }

  async function findingsOf(transfers: readonly AuditedTransfer[]): Promise<Findings> {
    const own = transfers.flatMap((transfer) => checkOwn(transfer) ?? []);
    const bad = new Set(own.map(({ subject }) => subject));
    const good = transfers.filter(({ id }) => !bad.has(id));
    const ended = good.filter(hasEnded);
    return {
      breaches: [...own, ...(await neighborsOf(ended))],
      waiting: good.filter((transfer) => !hasEnded(transfer)).map(({ id }) => id),
    };
  }

  return {
    name: "transfers",
    invariant: "I1,I2,I4",
    description:
      "Each transfer has its saga and first command, is in its saga's state, and at its end agrees with the ledger's postings and the bank's payments.",
    async measure({ from, upTo }, limit) {
      const [row] = await database.query<{ rows: bigint; last: string }>(MEASURE_TRANSFERS, [from, upTo, limit]);
      return { rows: Number(row!.rows), last: row!.last };
    },
    look: async ({ from, upTo }) => findingsOf(await database.query<AuditedTransfer>(LOOK_AT_TRANSFERS, [from, upTo])),
    lookAgain: async (ids) => findingsOf(await database.query<AuditedTransfer>(LOOK_AGAIN_AT_TRANSFERS, [ids])),
  };
}

/** The auditor of transfers: its checks and its routes. */
export function createTransferAudit(deps: TransferAuditDeps): ServiceAudit {
  const { database, outbox, logger, parkAfterMs, ledger } = deps;
  const transfers = transferFeed(deps);
  const auditor = createAuditor({
    ...{ service: "transfer", database, outbox, logger },
    checks: [
      feedCheck(transfers),
      sweepCheck(transfers),
      sagaCheck(database, STEPS * parkAfterMs + MARGIN_MS),
      outboxCheck(database),
    ],
    async freeze(accountIds, reason) {
      const frozen = await ledger.freezeAccounts({
        accountIds: [...accountIds],
        reason: reason.slice(0, LONGEST_REASON),
      });
      return frozen.accountIds;
    },
  });
  return {
    migrations: transferAuditMigrations,
    routes: (router) => auditRoutes(router, auditor, database),
    auditor,
  };
}
