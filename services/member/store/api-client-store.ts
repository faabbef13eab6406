import type { Queryable, Transaction } from "@ferry/platform/db";
import type { ApiClient } from "../domain/api-client.ts";
import type { Origin } from "../domain/audit.ts";
import { type MemberRow, memberOf } from "./member-store.ts";

interface Row {
  id: string;
  member_id: string;
  display_name: string;
  scopes: string[];
  session_id: string;
  created_at: Date;
  last_used_at: Date | null;
}

interface SecretRow extends MemberRow {
  client_id: string;
  client_name: string;
  client_created_at: Date;
  scopes: string[];
  session_id: string;
  last_used_at: Date | null;
  secret_hash: Buffer;
}

const COLUMNS = "id, member_id, display_name, scopes, session_id, created_at, last_used_at";

const clientOf = (row: Row): ApiClient => ({
  id: row.id,
  memberId: row.member_id,
  displayName: row.display_name,
  scopes: row.scopes,
  sessionId: row.session_id,
  createdAt: row.created_at,
  lastUsedAt: row.last_used_at ?? undefined,
});

/** Opens what the tokens of a secret carry as their session. It ends with the secret, not by time. */
async function openSession(tx: Transaction, id: string, client: ApiClient, now: Date): Promise<void> {
  await tx.query(
    "INSERT INTO session (id, member_id, api_client_id, created_at, expires_at) VALUES ($1, $2, $3, $4, 'infinity')",
    [id, client.memberId, client.id, now],
  );
}

/** Kept for a day, much longer than its last token, and then purged as others are. */
async function endSession(tx: Transaction, id: string, now: Date): Promise<void> {
  await tx.query("UPDATE session SET revoked_at = $2, expires_at = $2::timestamptz + interval '1 day' WHERE id = $1", [
    id,
    now,
  ]);
}

/** API clients; of their secrets only hashes. */
export const apiClientStore = {
  /** Counts a member's clients, and keeps others from adding one until the transaction is over. */
  async lockCount(tx: Transaction, memberId: string): Promise<number> {
    await tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 11))", [memberId]);
    const rows = await tx.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM api_client WHERE member_id = $1",
      [memberId],
    );
    return rows[0]!.count;
  },

  async insert(tx: Transaction, client: ApiClient, secretHash: Buffer): Promise<void> {
    await openSession(tx, client.sessionId, client, client.createdAt);
    await tx.query(
      `INSERT INTO api_client (id, member_id, display_name, scopes, session_id, created_at, secret_hash)
       VALUES ($1, $2, $3, $4::text[], $5, $6, $7)`,
      [client.id, client.memberId, client.displayName, client.scopes, client.sessionId, client.createdAt, secretHash],
    );
  },

  async find(db: Queryable, memberId: string, id: string): Promise<ApiClient | undefined> {
    const rows = await db.query<Row>(`SELECT ${COLUMNS} FROM api_client WHERE id = $1 AND member_id = $2`, [
      id,
      memberId,
    ]);
    return rows[0] && clientOf(rows[0]);
  },

  async lock(tx: Transaction, memberId: string, id: string): Promise<ApiClient | undefined> {
    const rows = await tx.query<Row>(`SELECT ${COLUMNS} FROM api_client WHERE id = $1 AND member_id = $2 FOR UPDATE`, [
      id,
      memberId,
    ]);
    return rows[0] && clientOf(rows[0]);
  },

  /** Oldest first. */
  async list(db: Queryable, memberId: string): Promise<ApiClient[]> {
    const rows = await db.query<Row>(`SELECT ${COLUMNS} FROM api_client WHERE member_id = $1 ORDER BY id`, [memberId]);
    return rows.map(clientOf);
  },

  /** The client with its member and the hash of its secret, for whoever comes with a secret. */
  async findWithSecret(db: Queryable, id: string) {
    const rows = await db.query<SecretRow>(
      `SELECT c.secret_hash, c.id AS client_id, c.display_name AS client_name, c.scopes, c.session_id,
              c.created_at AS client_created_at, c.last_used_at,
              m.id, m.email, m.display_name, m.role, m.state, m.version, m.created_at
       FROM api_client c JOIN member m ON m.id = c.member_id WHERE c.id = $1`,
      [id],
    );
    const [row] = rows;
    if (row === undefined) return undefined;
    const client = clientOf({
      ...row,
      ...{ id: row.client_id, member_id: row.id, display_name: row.client_name, created_at: row.client_created_at },
    });
    return { client, member: memberOf(row), secretHash: row.secret_hash };
  },

  /** Notes that a client got a token, at most once a minute. */
  async touch(db: Queryable, { id, sessionId }: ApiClient, now: Date, origin: Origin): Promise<void> {
    await db.query(
      `WITH used AS (UPDATE api_client SET last_used_at = $2
         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2::timestamptz - interval '1 minute') RETURNING id)
       UPDATE session SET last_used_at = $2, address = $4, user_agent = $5
       WHERE id = $3 AND EXISTS (SELECT 1 FROM used)`,
      [id, now, sessionId, origin.address, origin.userAgent],
    );
  },

  async replaceSecret(
    tx: Transaction,
    client: ApiClient,
    next: { hash: Buffer; sessionId: string; now: Date },
  ): Promise<void> {
    await openSession(tx, next.sessionId, client, next.now);
    await tx.query("UPDATE api_client SET secret_hash = $2, session_id = $3 WHERE id = $1", [
      client.id,
      next.hash,
      next.sessionId,
    ]);
    await endSession(tx, client.sessionId, next.now);
  },

  async delete(tx: Transaction, client: ApiClient, now: Date): Promise<void> {
    await tx.query("DELETE FROM api_client WHERE id = $1", [client.id]);
    await endSession(tx, client.sessionId, now);
  },

  /** Their sessions are ended with all others of the member's. */
  async deleteAllOf(tx: Transaction, memberId: string): Promise<void> {
    await tx.query(
      `WITH gone AS (DELETE FROM api_client WHERE member_id = $1 RETURNING session_id)
       UPDATE session SET expires_at = now() + interval '1 day' FROM gone WHERE session.id = gone.session_id`,
      [memberId],
    );
  },
};
