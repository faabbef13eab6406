import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type AuditLogService, AuditKind as WireKinds } from "@ferry/gen/ferry/member/v1/audit_log_pb.ts";
import type { ListAuditLog } from "../app/list-audit-log.ts";
import { AUDIT_KINDS, type AuditEntry } from "../domain/audit.ts";
import { idOf } from "./callers.ts";

function toWire({ id, kind, time, memberId, actorId, sessionId, apiClientId, origin, outcome, reason }: AuditEntry) {
  return {
    ...{ id, kind: WireKinds[kind], time: timestampFromDate(time), memberId: memberId ?? "", actorId: actorId ?? "" },
    ...{ sessionId: sessionId ?? "", apiClientId: apiClientId ?? "", ...origin, outcome, reason },
  };
}

/** The rpc of AuditLogService. */
export function createAuditLogRpcs(deps: {
  list(query: ListAuditLog): Promise<{ entries: AuditEntry[]; nextPageToken: string }>;
}): ServiceImpl<typeof AuditLogService> {
  return {
    async listAuditLogEntries({ memberId, kind, pageSize, pageToken }) {
      const { entries, nextPageToken } = await deps.list({
        memberId: memberId === "" ? undefined : idOf(memberId),
        kind: AUDIT_KINDS.find((name) => WireKinds[name] === kind),
        pageSize,
        pageToken,
      });
      return { entries: entries.map(toWire), nextPageToken };
    },
  };
}
