import {
  type Database,
  isUuid,
  type Queryable,
  readPageToken,
  type Transaction,
  writePageToken,
} from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { AuditFact, Caller } from "../domain/audit.ts";
import type { Session } from "../domain/session.ts";

const DEFAULT_PAGE_SIZE = 50;

interface SessionStore {
  list(
    db: Queryable,
    page: { memberId: string; now: Date; before: string | undefined; limit: number },
  ): Promise<Session[]>;
  revokeOwn(tx: Transaction, memberId: string, sessionId: string, now: Date): Promise<boolean>;
  revokeOthers(tx: Transaction, memberId: string, keptId: string, now: Date): Promise<string[]>;
}

export interface SessionsDeps {
  database: Database;
  store: SessionStore;
  audit: { record(db: Queryable, fact: AuditFact): Promise<void> };
  /** Tells the other replicas, when the transaction commits. */
  notifyRevoked(tx: Transaction, sessionIds: readonly string[]): Promise<void>;
  /** Tells whoever watches this replica. */
  pushRevoked(sessionIds: readonly string[]): void;
}

export type Sessions = ReturnType<typeof createSessions>;

/** What members do with their own sessions. */
export function createSessions({ database, store, audit, notifyRevoked, pushRevoked }: SessionsDeps) {
  return {
    /** Newest first. @throws FerryError PAGE_TOKEN_INVALID. */
    async list(memberId: string, { pageSize, pageToken }: { pageSize: number; pageToken: string }) {
      const query = `sessions ${memberId}`;
      const limit = pageSize || DEFAULT_PAGE_SIZE;
      const before = readPageToken(query, pageToken, [isUuid])?.[0];
      const found = await store.list(database, { memberId, now: new Date(), before, limit: limit + 1 });
      const sessions = found.slice(0, limit);
      const nextPageToken = found.length > limit ? writePageToken(query, [sessions.at(-1)!.id]) : "";
      return { sessions, nextPageToken };
    },

    /** @throws FerryError NOT_FOUND for a session that is another's, or has ended. */
    async end(caller: Caller, sessionId: string): Promise<void> {
      const { memberId } = caller;
      await database.transaction(async (tx) => {
        if (!(await store.revokeOwn(tx, memberId, sessionId, new Date())))
          throw new FerryError("NOT_FOUND", "session_id: there is no such open session");
        await audit.record(tx, { kind: "SESSION_ENDED", memberId, by: caller, sessionId });
        await notifyRevoked(tx, [sessionId]);
      });
      pushRevoked([sessionId]);
    },

    /** @returns How many were ended. */
    async endOthers(caller: Caller): Promise<number> {
      const { memberId } = caller;
      const ended = await database.transaction(async (tx) => {
        const ids = await store.revokeOthers(tx, memberId, caller.sessionId, new Date());
        if (ids.length === 0) return ids;
        await audit.record(tx, { kind: "OTHER_SESSIONS_ENDED", memberId, by: caller });
        await notifyRevoked(tx, ids);
        return ids;
      });
      pushRevoked(ended);
      return ended.length;
    },
  };
}
