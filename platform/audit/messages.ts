import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type AuditBreachFound,
  AuditBreachFoundSchema,
  type Breach,
  BreachSchema,
} from "@ferry/gen/ferry/audit/v1/audit_pb.ts";
import { create } from "@ferry/platform/codec";
import type { BreachRow } from "./store.ts";

/**
 * Of what was found, in characters: what the broker does not take can never be recorded with its event, and the
 * round that found it would be tried for ever. All of it is in the auditor's table.
 */
const MAX_DETAIL_LENGTH = 65_536;
const SHOWN_LENGTH = 4_096;

function detailOf(detail: unknown): string {
  const text = JSON.stringify(detail);
  if (text.length <= MAX_DETAIL_LENGTH) return text;
  return JSON.stringify({ omitted: true, length: text.length, begins: text.slice(0, SHOWN_LENGTH) });
}

const timeOf = (date: Date | null) => (date === null ? undefined : timestampFromDate(date));

export function breachMessage(row: BreachRow): Breach {
  const { id, invariant, subject, message } = row;
  return create(BreachSchema, {
    ...{ id, invariant, subject, message },
    check: row.check_name,
    detail: detailOf(row.detail),
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
