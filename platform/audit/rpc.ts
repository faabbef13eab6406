import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import { AuditSchema, AuditService, CheckSchema } from "@ferry/gen/ferry/audit/v1/audit_pb.ts";
import { type Database, isMicros, isUuid, readPageToken, writePageToken } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { principalOf } from "@ferry/platform/rpc";
import { sweepsOfProcess } from "@ferry/platform/telemetry";
import type { Auditor, CheckState } from "./auditor.ts";
import { breachMessage } from "./messages.ts";
import { acknowledge, type CursorRow, countOpen, countWaiting, findCursors, listBreaches } from "./store.ts";

const DEFAULT_PAGE_SIZE = 50;

function checkMessage(state: CheckState, row: CursorRow | undefined, waiting = 0n, openBreaches = 0n) {
  const { check, failure, figures } = state;
  const { name, invariant, description } = check;
  return create(CheckSchema, {
    ...{ name, invariant, description, failure, waiting, openBreaches },
    ...(row === undefined
      ? {}
      : {
          // Rounds that found nothing are seldom written: who made them knows.
          roundTime: timestampFromMs(Math.max(row.round_at.getTime(), figures.roundAtMs ?? 0)),
          roundRows: row.round_rows,
          roundDuration: durationFromMs(row.round_ms),
          totalRows: row.total_rows,
          cursor: JSON.stringify(row.position ?? {}),
          lag: row.lag_ms === null ? undefined : durationFromMs(Number(row.lag_ms)),
        }),
  });
}

/** Serves ferry.audit.v1.AuditService. Who may call is in the contract's options. */
export function auditRoutes(router: ConnectRouter, auditor: Auditor, database: Database): void {
  const mustBeOurs = (service: string) => {
    if (service !== auditor.service) throw new FerryError("NOT_FOUND", `service: this is ${auditor.service}`);
  };
  router.service(AuditService, {
    async getAudit({ service }) {
      mustBeOurs(service);
      const [cursors, waiting, open] = await Promise.all([
        findCursors(database),
        countWaiting(database),
        countOpen(database),
      ]);
      const checks = auditor.states().map((state) => {
        const { name } = state.check;
        return checkMessage(state, cursors.get(name), waiting.get(name), open.get(name));
      });
      const sweeps = sweepsOfProcess().map(({ moved, ...sweep }) => ({ ...sweep, moved: BigInt(moved) }));
      return { audit: create(AuditSchema, { service, running: auditor.isRunning(), checks, sweeps }) };
    },
    async listBreaches({ service, open, pageSize, pageToken }) {
      mustBeOurs(service);
      const size = pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize;
      const list = `breaches:${service}:${open}`;
      const after = readPageToken(list, pageToken, [isMicros, isUuid]);
      const found = await listBreaches(database, { open, limit: size + 1, after });
      const last = found.length > size ? found[size - 1] : undefined;
      return {
        breaches: found.slice(0, size).map(breachMessage),
        nextPageToken: last === undefined ? "" : writePageToken(list, [last.position, last.id]),
      };
    },
    async acknowledgeBreach({ service, breachId, reason }, context) {
      mustBeOurs(service);
      const { id: operatorId } = principalOf(context);
      const row = await acknowledge(database, breachId.toLowerCase(), { operatorId, reason });
      if (row === undefined) throw new FerryError("NOT_FOUND", "breach_id: there is no such breach");
      return { breach: breachMessage(row) };
    },
  });
}
