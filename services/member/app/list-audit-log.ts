import { isUuid, type Queryable, readPageToken, writePageToken } from "@ferry/platform/db";
import type { AuditEntry, AuditKind } from "../domain/audit.ts";

const DEFAULT_PAGE_SIZE = 50;

interface AuditStore {
  list(
    db: Queryable,
    page: { memberId: string | undefined; kind: AuditKind | undefined; before: string | undefined; limit: number },
  ): Promise<AuditEntry[]>;
}

export interface ListAuditLog {
  memberId: string | undefined;
  kind: AuditKind | undefined;
  /** 0 means 50. */
  pageSize: number;
  pageToken: string;
}

/** Reads the audit log, newest first. @throws FerryError PAGE_TOKEN_INVALID. */
export function createListAuditLog({ database, store }: { database: Queryable; store: AuditStore }) {
  return async ({ memberId, kind, pageSize, pageToken }: ListAuditLog) => {
    const query = `audit log ${memberId ?? ""} ${kind ?? ""}`;
    const limit = pageSize || DEFAULT_PAGE_SIZE;
    const before = readPageToken(query, pageToken, [isUuid])?.[0];
    const found = await store.list(database, { memberId, kind, before, limit: limit + 1 });
    const entries = found.slice(0, limit);
    return { entries, nextPageToken: found.length > limit ? writePageToken(query, [entries.at(-1)!.id]) : "" };
  };
}
