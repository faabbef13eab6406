import type { Queryable, Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Member, MemberState, Role } from "../domain/member.ts";

export interface MemberRow {
  id: string;
  email: string;
  display_name: string;
  role: Role;
  state: MemberState;
  version: bigint;
  created_at: Date;
}

const COLUMNS = "m.id, m.email, m.display_name, m.role, m.state, m.version, m.created_at";

export const memberOf = (row: MemberRow): Member => ({
  id: row.id,
  email: row.email,
  displayName: row.display_name,
  role: row.role,
  state: row.state,
  version: row.version,
  createdAt: row.created_at,
});

export interface NewMember {
  id: string;
  email: string;
  displayName: string;
  passwordHash: string;
  role: Role;
}

/** People. */
export const memberStore = {
  /** @throws FerryError EMAIL_TAKEN. */
  async insert(db: Queryable, member: NewMember): Promise<Member> {
    const rows = await db.query<MemberRow>(
      `INSERT INTO member AS m (id, email, display_name, password_hash, role) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT ON CONSTRAINT member_email DO NOTHING RETURNING ${COLUMNS}`,
      [member.id, member.email, member.displayName, member.passwordHash, member.role],
    );
    const row = rows[0];
    if (row === undefined) throw new FerryError("EMAIL_TAKEN", "email: another member has this email");
    return memberOf(row);
  },

  async find(db: Queryable, id: string): Promise<Member | undefined> {
    const rows = await db.query<MemberRow>(`SELECT ${COLUMNS} FROM member m WHERE m.id = $1`, [id]);
    return rows[0] && memberOf(rows[0]);
  },

  async findWithPassword(db: Queryable, email: string) {
    const rows = await db.query<MemberRow & { password_hash: string }>(
      `SELECT ${COLUMNS}, m.password_hash FROM member m WHERE m.email = $1`,
      [email],
    );
    return rows[0] && { member: memberOf(rows[0]), passwordHash: rows[0].password_hash };
  },

  /** Keeps others from changing the member until the transaction is over. Undefined when the password is another one. */
  async lockWithPassword(tx: Transaction, id: string, passwordHash: string): Promise<Member | undefined> {
    const rows = await tx.query<MemberRow>(
      `SELECT ${COLUMNS} FROM member m WHERE m.id = $1 AND m.password_hash = $2 FOR SHARE`,
      [id, passwordHash],
    );
    return rows[0] && memberOf(rows[0]);
  },

  async findStates(db: Queryable, ids: readonly string[]): Promise<Map<string, MemberState>> {
    const rows = await db.query<{ id: string; state: MemberState }>(
      "SELECT id, state FROM member WHERE id = ANY($1::uuid[])",
      [ids],
    );
    return new Map(rows.map(({ id, state }) => [id, state]));
  },

  async findSuspended(db: Queryable): Promise<string[]> {
    const rows = await db.query<{ id: string }>("SELECT id FROM member WHERE state = 'suspended'");
    return rows.map(({ id }) => id);
  },

  async lock(tx: Transaction, id: string): Promise<Member | undefined> {
    const rows = await tx.query<MemberRow>(`SELECT ${COLUMNS} FROM member m WHERE m.id = $1 FOR UPDATE`, [id]);
    return rows[0] && memberOf(rows[0]);
  },

  async lockByEmail(tx: Transaction, email: string): Promise<Member | undefined> {
    const rows = await tx.query<MemberRow>(`SELECT ${COLUMNS} FROM member m WHERE m.email = $1 FOR UPDATE`, [email]);
    return rows[0] && memberOf(rows[0]);
  },

  async saveState(tx: Transaction, { id, state, version }: Member): Promise<void> {
    await tx.query("UPDATE member SET state = $2, version = $3 WHERE id = $1", [id, state, version]);
  },

  /** @param passwordHash Undefined leaves the password as it is. */
  async saveOperator(tx: Transaction, id: string, passwordHash: string | undefined): Promise<void> {
    await tx.query(
      `UPDATE member SET role = 'operator', version = version + 1, password_hash = coalesce($2, password_hash)
       WHERE id = $1`,
      [id, passwordHash ?? null],
    );
  },
};

export type MemberStore = typeof memberStore;
