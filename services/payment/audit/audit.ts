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

/** References in one call to a neighbor, as the contract allows. */
const ASKED_AT_ONCE = 1_000;
const LONGEST_REASON = 500;
/** A saga has this many steps, its child's included, that may each take as long as a step may. */
const STEPS = 8;
const MARGIN_MS = 600_000;

function chunks<Item>(items: readonly Item[]): Item[][] {
  const count = Math.ceil(items.length / ASKED_AT_ONCE);
  return Array.from({ length: count }, (_, at) => items.slice(at * ASKED_AT_ONCE, (at + 1) * ASKED_AT_ONCE));
}

/** What comes of each movement of a kind: its own books first, then the neighbors' where it has ended. */
function movementFeed(kind: MovementKind, { database, postings, payments }: PaymentAuditDeps): FeedOptions {
  const statements = statementsOf(kind);

  async function neighborsOf(ended: readonly AuditedMovement[]): Promise<FoundBreach[]> {
    const ids = ended.map(({ id }) => id);
    const atBank = ended.filter(({ bank_code }) => bank_code !== null).map(({ id }) => id);
    const [posted, paid] = await Promise.all([
      Promise.all(chunks(ids).map((references) => postings.batchGetPostings({ references }))),
      Promise.all(chunks(atBank).map((references) => payments.batchGetPayments({ references }))),
    ]);
    const postingsOf = new Map(posted.flatMap((answer) => answer.postings).map((one) => [one.reference, one]));
    const paymentOf = new Map(paid.flatMap((answer) => answer.payments).map((one) => [one.reference, one]));
    return ended.flatMap((movement) => {
      const found =
        checkPostings(kind, movement, postingsOf.get(movement.id)) ??
        (movement.bank_code === null ? undefined : checkPayment(kind, movement, paymentOf.get(movement.id)));
      return found === undefined ? [] : [found];
    });
  }

  async function findingsOf(movements: readonly AuditedMovement[]): Promise<Findings> {
    const own = movements.flatMap((movement) => checkOwn(kind, movement) ?? []);
    const bad = new Set(own.map(({ subject }) => subject));
    const good = movements.filter(({ id }) => !bad.has(id));
    const ended = good.filter((movement) => hasEnded(movement) && movement.skipped !== true);
    return {
      breaches: [...own, ...(await neighborsOf(ended))],
      waiting: good.filter((movement) => !hasEnded(movement)).map(({ id }) => id),
    };
  }

  return {
    name: `${kind}s`,
    invariant: "I1,I2,I4",
    description: `Each ${kind} is in its saga's state where it has one, and at its end agrees with the ledger's postings and the bank's records.`,
    async measure({ from, upTo }, limit) {
      const [row] = await database.query<{ rows: bigint; last: string }>(statements.measure, [from, upTo, limit]);
      return { rows: Number(row!.rows), last: row!.last };
    },
    look: async ({ from, upTo }) => findingsOf(await database.query<AuditedMovement>(statements.look, [from, upTo])),
    lookAgain: async (ids) => findingsOf(await database.query<AuditedMovement>(statements.lookAgain, [ids])),
  };
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
      const frozen = await ledger.freezeAccounts({
        accountIds: [...accountIds],
        reason: reason.slice(0, LONGEST_REASON),
      });
      return frozen.accountIds;
    },
  });
  return {
    migrations: paymentAuditMigrations,
    routes: (router) => auditRoutes(router, auditor, database),
    auditor,
  };
}
