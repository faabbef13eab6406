import { PostingService } from "@ferry/gen/ferry/ledger/v1/postings_pb.ts";
import { auditMigrations, auditRoutes, createAuditor, outboxCheck } from "@ferry/platform/audit";
import { type Database, type Migrations, migrate } from "@ferry/platform/db";
import type { ServiceAudit } from "@ferry/platform/lifecycle";
import type { Outbox } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import type { FreezeAccounts } from "../app/freeze-accounts.ts";
import { type LedgerBook, ledgerChecks } from "./checks.ts";
import { postingRpcs } from "./postings.ts";

/** What the auditor needs wherever the accounts are. */
const booksMigrations: Migrations = { name: "ledger_audit", directory: `${import.meta.dirname}/migrations` };

/** What the auditor needs in the ledger's database, after the ledger's own. */
export const ledgerAuditMigrations: readonly Migrations[] = [auditMigrations, booksMigrations];

export interface LedgerAuditDeps extends Pick<FreezeAccounts, "freezeAccounts"> {
  database: Database;
  outbox: Outbox;
  logger: Logger;
  /** The databases that the accounts are in, with their addresses. Default: the service's own. */
  shards?: readonly { name: string; database: Database; url: string }[];
  /** A posting between two shards is one transaction over both. */
  spansTwo?: boolean;
}

/** The ledger's auditor: its checks, its routes, and what it tells its neighbors. */
export function createLedgerAudit(deps: LedgerAuditDeps): ServiceAudit {
  const { database, outbox, logger, freezeAccounts, shards = [], spansTwo = false } = deps;
  const books: readonly LedgerBook[] =
    shards.length === 0
      ? [{ name: "", db: database, isWhole: true }]
      : shards.map(({ name, database: db }) => ({ name, db, isWhole: !spansTwo }));
  const auditor = createAuditor({
    ...{ service: "ledger", database, outbox, logger },
    checks: [...books.flatMap(ledgerChecks), outboxCheck(database)],
    freeze: (ids, reason) => freezeAccounts(ids, { actor: "auditor:ledger", reason }),
  });
  return {
    migrations: ledgerAuditMigrations,
    routes(router) {
      auditRoutes(router, auditor, database);
      router.service(PostingService, postingRpcs(books.map(({ db }) => db)));
    },
    auditor: {
      name: auditor.name,
      stop: () => auditor.stop(),
      async start() {
        for (const { url } of shards) await migrate(url, [booksMigrations]);
        await auditor.start();
      },
    },
  };
}
