import type { Client } from "@connectrpc/connect";
import type { PaymentRecordService } from "@ferry/gen/ferry/banking/v1/payments_pb.ts";
import type { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import type { PostingService } from "@ferry/gen/ferry/ledger/v1/postings_pb.ts";
import {
  askByReference,
  auditMigrations,
  auditRoutes,
  createAuditor,
  type FeedOptions,
  type FoundBreach,
  feedCheck,
  outboxCheck,
  recordFeed,
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

/** A saga has this many steps that may each take as long as a step may. */
const STEPS = 6;
const MARGIN_MS = 600_000;

/** What comes of each transfer: its own books first, then the neighbors' where it has ended. */
function transferFeed({ database, postings, payments }: TransferAuditDeps): FeedOptions {
  async function checkEnded(ended: readonly AuditedTransfer[]): Promise<FoundBreach[]> {
    const atBank = ended.filter(({ bank_code }) => bank_code !== null);
    const [postingsOf, paymentOf] = await Promise.all([
      askByReference(ended, async (references) => (await postings.batchGetPostings({ references })).postings),
      askByReference(atBank, async (references) => (await payments.batchGetPayments({ references })).payments),
    ]);
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

  return recordFeed({
    name: "transfers",
    invariant: "I1,I2,I4",
    description:
      "Each transfer has its saga and first command, is in its saga's state, and at its end agrees with the ledger's postings and the bank's payments.",
    db: database,
    statements: { measure: MEASURE_TRANSFERS, look: LOOK_AT_TRANSFERS, lookAgain: LOOK_AGAIN_AT_TRANSFERS },
    hasEnded,
    checkOwn,
    checkEnded,
  });
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
      const frozen = await ledger.freezeAccounts({ accountIds: [...accountIds], reason });
      return frozen.accountIds;
    },
  });
  return {
    migrations: transferAuditMigrations,
    routes: (router) => auditRoutes(router, auditor, database),
    auditor,
  };
}
