import { PostingService } from "@ferry/gen/ferry/ledger/v1/postings_pb.ts";
import { auditMigrations, auditRoutes, createAuditor, outboxCheck } from "@ferry/platform/audit";
import type { Database, Migrations } from "@ferry/platform/db";
import type { ServiceAudit } from "@ferry/platform/lifecycle";
import type { Outbox } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import type { FreezeAccounts } from "../app/freeze-accounts.ts";
import { ledgerChecks } from "./checks.ts";
import { postingRpcs } from "./postings.ts";

/** What the auditor needs in the ledger's database, after the ledger's own. */
export const ledgerAuditMigrations: readonly Migrations[] = [
  auditMigrations,
  { name: "ledger_audit", directory: `${import.meta.dirname}/migrations` },
];

export interface LedgerAuditDeps extends Pick<FreezeAccounts, "freezeAccounts"> {
  database: Database;
  outbox: Outbox;
  logger: Logger;
}

const LONGEST_REASON = 500;

/** The ledger's auditor: its checks, its routes, and what it tells its neighbors. */
export function createLedgerAudit({ database, outbox, logger, freezeAccounts }: LedgerAuditDeps): ServiceAudit {
  const auditor = createAuditor({
    ...{ service: "ledger", database, outbox, logger },
    checks: [...ledgerChecks(database), outboxCheck(database)],
    freeze: (ids, reason) => freezeAccounts(ids, { actor: "auditor:ledger", reason: reason.slice(0, LONGEST_REASON) }),
  });
  return {
    migrations: ledgerAuditMigrations,
    routes(router) {
      auditRoutes(router, auditor, database);
      router.service(PostingService, postingRpcs([database]));
    },
    auditor,
  };
}
