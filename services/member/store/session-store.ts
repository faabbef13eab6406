import type { Queryable, Transaction } from "@ferry/platform/db";
import type { IssuedRefreshToken } from "../domain/session.ts";
import { type MemberRow, memberOf } from "./member-store.ts";

interface IssuedRow extends MemberRow {
  session_id: string;
  token_expires_at: Date;
  used_at: Date | null;
  revoked_at: Date | null;
}

const PURGE_CHUNK_ROWS = 5_000;

/** Sessions and the refresh tokens that they were given. */
export const sessionStore = {
  async open(tx: Transaction, session: { id: string; memberId: string; now: Date; expiresAt: Date }): Promise<void> {
    await tx.query("INSERT INTO session (id, member_id, created_at, expires_at) VALUES ($1, $2, $3, $4)", [
      session.id,
      session.memberId,
      session.now,
      session.expiresAt,
    ]);
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

  async useToken(tx: Transaction, hash: Buffer, now: Date, sessionExpiresAt: Date): Promise<void> {
    await tx.query(
      `WITH used AS (UPDATE refresh_token SET used_at = $2 WHERE hash = $1 RETURNING session_id)
       UPDATE session SET expires_at = $3 FROM used WHERE session.id = used.session_id`,
      [hash, now, sessionExpiresAt],
    );
  },

  async revoke(tx: Transaction, sessionId: string, now: Date): Promise<void> {
    await tx.query("UPDATE session SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", [sessionId, now]);
  },

  /** @returns Ids of the sessions that were still open. */
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
