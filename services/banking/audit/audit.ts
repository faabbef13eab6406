import { PaymentRecordService } from "@ferry/gen/ferry/banking/v1/payments_pb.ts";
import { auditMigrations, auditRoutes, createAuditor, outboxCheck } from "@ferry/platform/audit";
import type { Database } from "@ferry/platform/db";
import type { ServiceAudit } from "@ferry/platform/lifecycle";
import type { Outbox } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import type { BankResponse, Operation } from "../domain/call.ts";
import { bankCheck, callsCheck } from "./checks.ts";
import { paymentRpcs } from "./payments.ts";

export interface BankingAuditDeps {
  database: Database;
  outbox: Outbox;
  logger: Logger;
  /** The banks that the platform has a connection to, by code. */
  banks: ReadonlyMap<string, { call(reference: string, operation: Operation): Promise<BankResponse> }>;
}

/** The auditor of banking: its checks, its routes, and what it tells its neighbors. It knows no accounts to freeze. */
export function createBankingAudit({ database, outbox, logger, banks }: BankingAuditDeps): ServiceAudit {
  const auditor = createAuditor({
    ...{ service: "banking", database, outbox, logger },
    checks: [callsCheck(database), bankCheck(database, banks), outboxCheck(database)],
  });
  return {
    migrations: [auditMigrations],
    routes(router) {
      auditRoutes(router, auditor, database);
      router.service(PaymentRecordService, paymentRpcs(database));
    },
    auditor,
  };
}
