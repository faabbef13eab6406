import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type AuditBreachFound,
  AuditBreachFoundSchema,
  type Breach,
  BreachSchema,
} from "@ferry/gen/ferry/audit/v1/audit_pb.ts";
import { create } from "@ferry/platform/codec";
import type { BreachRow } from "./store.ts";

const timeOf = (date: Date | null) => (date === null ? undefined : timestampFromDate(date));

export function breachMessage(row: BreachRow): Breach {
  const { id, invariant, subject, message } = row;
  return create(BreachSchema, {
    ...{ id, invariant, subject, message },
    check: row.check_name,
    detail: JSON.stringify(row.detail),
    accountIds: row.accounts,
    frozenAccountIds: row.frozen,
    findTime: timeOf(row.found_at),
    seeTime: timeOf(row.seen_at),
    endTime: timeOf(row.ended_at),
    acknowledgeTime: timeOf(row.acknowledged_at),
    acknowledgedBy: row.acknowledged_by ?? "",
    acknowledgeReason: row.acknowledge_reason ?? "",
  });
}

export function breachFound(service: string, row: BreachRow): AuditBreachFound {
  return create(AuditBreachFoundSchema, { service, breach: breachMessage(row) });
}
