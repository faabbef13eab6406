import type { Queryable, Transaction } from "@ferry/platform/db";
import type { Origin } from "../domain/audit.ts";
import type { IssuedRefreshToken, Session } from "../domain/session.ts";
import { type MemberRow, memberOf } from "./member-store.ts";

interface IssuedRow extends MemberRow {
  session_id: string;
  token_expires_at: Date;
  used_at: Date | null;
  revoked_at: Date | null;
}

interface SessionRow {
  id: string;
  created_at: Date;
  last_used_at: Date | null;
  expires_at: Date;
  address: string;
  user_agent: string;
}

export interface NewSession {
  id: string;
  memberId: string;
  now: Date;
  expiresAt: Date;
  origin: Origin;
}

export interface SessionPage {
  memberId: string;
  now: Date;
  /** Sessions that were opened before this one. */
  before: string | undefined;
  limit: number;
}

const PURGE_CHUNK_ROWS = 5_000;
const LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/** Sessions and the refresh tokens that they were given. */
export const sessionStore = {
  async open(tx: Transaction, session: NewSession): Promise<void> {
    const { id, memberId, now, expiresAt, origin } = session;
    await tx.query(
      `INSERT INTO session (id, member_id, created_at, expires_at, last_used_at, address, user_agent)
       VALUES ($1, $2, $3, $4, $3, $5, $6)`,
      [id, memberId, now, expiresAt, origin.address, origin.userAgent],
    );
  },

  async addToken(tx: Transaction, token: { hash: Buffer; sessionId: string; expiresAt: Date }): Promise<void> {
    await tx.query("INSERT INTO refresh_token (hash, session_id, expires_at) VALUES ($1, $2, $3)", [
      token.hash,
      token.sessionId,
      token.expiresAt,
    ]);
  },

  /** Locks a token and its session, so that of two uses at once the second sees the first. */
  async lockToken(tx: Transaction, hash: Buffer): Promise<IssuedRefreshToken | undefined> {
    const rows = await tx.query<IssuedRow>(
      `SELECT s.id AS session_id, t.expires_at AS token_expires_at, t.used_at, s.revoked_at,
              m.id, m.email, m.display_name, m.role, m.state, m.version, m.created_at
       FROM refresh_token t JOIN session s ON s.id = t.session_id JOIN member m ON m.id = s.member_id
       WHERE t.hash = $1 FOR UPDATE OF t, s`,
      [hash],
    );
    const row = rows[0];
    return (
      row && {
        sessionId: row.session_id,
        expiresAt: row.token_expires_at,
        usedAt: row.used_at ?? undefined,
        sessionRevokedAt: row.revoked_at ?? undefined,
        member: memberOf(row),
      }
    );
  },

  /** Keeps others from ending a session until the transaction is over. @returns Whether it is open. */
  async lockOpen(tx: Transaction, id: string): Promise<boolean> {
    const rows = await tx.query("SELECT 1 FROM session WHERE id = $1 AND revoked_at IS NULL FOR SHARE", [id]);
    return rows.length > 0;
  },

  /** Marks a refresh token as used, and its session as used from there. */
  async useToken(tx: Transaction, hash: Buffer, use: { now: Date; expiresAt: Date; origin: Origin }): Promise<void> {
    await tx.query(
      `WITH used AS (UPDATE refresh_token SET used_at = $2 WHERE hash = $1 RETURNING session_id)
       UPDATE session SET expires_at = $3, last_used_at = $2, address = $4, user_agent = $5
       FROM used WHERE session.id = used.session_id`,
      [hash, use.now, use.expiresAt, use.origin.address, use.origin.userAgent],
    );
  },

  /** Open sessions of people, newest first; ids are in order of time. */
  async list(db: Queryable, page: SessionPage): Promise<Session[]> {
    const rows = await db.query<SessionRow>(
      `SELECT id, created_at, last_used_at, expires_at, address, user_agent FROM session
       WHERE member_id = $1 AND revoked_at IS NULL AND api_client_id IS NULL AND expires_at > $2 AND id < $3
       ORDER BY id DESC LIMIT $4`,
      [page.memberId, page.now, page.before ?? LAST_ID, page.limit],
    );
    return rows.map((row) => ({
      id: row.id,
      createdAt: row.created_at,
      lastUsedAt: row.last_used_at ?? row.created_at,
      expiresAt: row.expires_at,
      origin: { address: row.address, userAgent: row.user_agent },
    }));
  },

  /** Ends one open session of a member's. @returns Whether there was one. */
  async revokeOwn(tx: Transaction, memberId: string, sessionId: string, now: Date): Promise<boolean> {
    const rows = await tx.query(
      `UPDATE session SET revoked_at = $3 WHERE id = $1 AND member_id = $2
         AND revoked_at IS NULL AND api_client_id IS NULL AND expires_at > $3 RETURNING id`,
      [sessionId, memberId, now],
    );
    return rows.length > 0;
  },

  /** Ends the open sessions of a member's but one. @returns Their ids. */
  async revokeOthers(tx: Transaction, memberId: string, keptId: string, now: Date): Promise<string[]> {
    const rows = await tx.query<{ id: string }>(
      `UPDATE session SET revoked_at = $3 WHERE member_id = $1 AND id <> $2
         AND revoked_at IS NULL AND api_client_id IS NULL AND expires_at > $3 RETURNING id`,
      [memberId, keptId, now],
    );
    return rows.map(({ id }) => id);
  },

  async revoke(tx: Transaction, sessionId: string, now: Date): Promise<void> {
    await tx.query("UPDATE session SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", [sessionId, now]);
  },

  /** Those of API clients too. @returns Ids of the sessions that were still open. */
  async revokeAllOf(tx: Transaction, memberId: string, now: Date): Promise<string[]> {
    const rows = await tx.query<{ id: string }>(
      "UPDATE session SET revoked_at = $2 WHERE member_id = $1 AND revoked_at IS NULL RETURNING id",
      [memberId, now],
    );
    return rows.map(({ id }) => id);
  },

  async findRevokedSince(db: Queryable, since: Date): Promise<string[]> {
    const rows = await db.query<{ id: string }>("SELECT id FROM session WHERE revoked_at >= $1", [since]);
    return rows.map(({ id }) => id);
  },

  /** Forgets tokens and sessions that ended, a chunk at a time. @returns How many rows went. */
  async purge(db: Queryable, endedBefore: Date): Promise<number> {
    const tokens = await db.query(
      `DELETE FROM refresh_token WHERE hash IN
         (SELECT hash FROM refresh_token WHERE expires_at < $1 LIMIT $2) RETURNING 1`,
      [endedBefore, PURGE_CHUNK_ROWS],
    );
    const sessions = await db.query(
      "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at < $1 LIMIT $2) RETURNING 1",
      [endedBefore, PURGE_CHUNK_ROWS],
    );
    return tokens.length + sessions.length;
  },
};

export type SessionStore = typeof sessionStore;
