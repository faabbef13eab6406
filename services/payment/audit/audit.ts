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
import { type AuditedMovement, checkOwn, checkPayment, checkPostings, hasEnded, type MovementKind } from "./agree.ts";
import { statementsOf } from "./statements.ts";

/** What the auditor needs in the database, after the service's own. */
export const paymentAuditMigrations: readonly Migrations[] = [
  auditMigrations,
  { name: "payment_audit", directory: `${import.meta.dirname}/migrations` },
];

export interface PaymentAuditDeps {
  database: Database;
  outbox: Outbox;
  logger: Logger;
  /** How long one step is tried before its saga is parked, in milliseconds. */
  parkAfterMs: number;
  ledger: Pick<Client<typeof LedgerService>, "freezeAccounts">;
  postings: Client<typeof PostingService>;
  payments: Client<typeof PaymentRecordService>;
}

/** A saga has this many steps, its child's included, that may each take as long as a step may. */
const STEPS = 8;
const MARGIN_MS = 600_000;

/** What comes of each movement of a kind: its own books first, then the neighbors' where it has ended. */
function movementFeed(kind: MovementKind, { database, postings, payments }: PaymentAuditDeps): FeedOptions {
  async function checkEnded(ended: readonly AuditedMovement[]): Promise<FoundBreach[]> {
    const movements = ended.filter(({ skipped }) => skipped !== true);
    const atBank = movements.filter(({ bank_code }) => bank_code !== null);
    const [postingsOf, paymentOf] = await Promise.all([
      askByReference(movements, async (references) => (await postings.batchGetPostings({ references })).postings),
      askByReference(atBank, async (references) => (await payments.batchGetPayments({ references })).payments),
    ]);
    return movements.flatMap((movement) => {
      const found =
        checkPostings(kind, movement, postingsOf.get(movement.id)) ??
        (movement.bank_code === null ? undefined : checkPayment(kind, movement, paymentOf.get(movement.id)));
      return found === undefined ? [] : [found];
    });
  }

  return recordFeed({
    name: `${kind}s`,
    invariant: "I1,I2,I4",
    description: `Each ${kind} is in its saga's state where it has one, and at its end agrees with the ledger's postings and the bank's records.`,
    db: database,
    statements: statementsOf(kind),
    hasEnded,
    checkOwn: (movement: AuditedMovement) => checkOwn(kind, movement),
    checkEnded,
  });
}

/** The auditor of top-ups, payments and refunds: its checks and its routes. */
export function createPaymentAudit(deps: PaymentAuditDeps): ServiceAudit {
  const { database, outbox, logger, parkAfterMs, ledger } = deps;
  const feeds = (["top-up", "payment", "refund"] as const).map((kind) => movementFeed(kind, deps));
  const auditor = createAuditor({
    ...{ service: "payment", database, outbox, logger },
    checks: [
      ...feeds.map(feedCheck),
      ...feeds.map(sweepCheck),
      sagaCheck(database, STEPS * parkAfterMs + MARGIN_MS),
      outboxCheck(database),
    ],
    async freeze(accountIds, reason) {
      const frozen = await ledger.freezeAccounts({ accountIds: [...accountIds], reason });
      return frozen.accountIds;
    },
  });
  return {
    migrations: paymentAuditMigrations,
    routes: (router) => auditRoutes(router, auditor, database),
    auditor,
  };
}
