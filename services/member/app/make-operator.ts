import { type Database, newUuid, type Queryable, type Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { AuditFact } from "../domain/audit.ts";
import { type Member, normalizeEmail, type Role } from "../domain/member.ts";

interface MemberStore {
  lockByEmail(tx: Transaction, email: string): Promise<Member | undefined>;
  saveOperator(tx: Transaction, id: string, passwordHash: string): Promise<void>;
  insert(
    db: Queryable,
    member: { id: string; email: string; displayName: string; passwordHash: string; role: Role },
  ): Promise<Member>;
}

export interface MakeOperatorDeps {
  database: Database;
  members: MemberStore;
  sessions: { revokeAllOf(tx: Transaction, memberId: string, now: Date): Promise<string[]> };
  apiClients: { deleteAllOf(tx: Transaction, memberId: string): Promise<void> };
  passwords: { hash(password: string): Promise<string> };
  audit: { record(db: Queryable, fact: AuditFact): Promise<void> };
  /** Tells the running replicas to look at everything anew, when the transaction commits. */
  notifyAll(tx: Transaction): Promise<void>;
}

export interface MadeOperator {
  kind: "created" | "promoted" | "renewed";
  id: string;
}

/**
 * Makes an operator: a new member, or one who is there already. In both cases the password is the given one, and
 * open sessions and API clients end, so that nobody who knew an old password becomes an operator by it.
 *
 * @param displayName For a new member.
 * @throws FerryError MEMBER_SUSPENDED.
 */
export function createMakeOperator(deps: MakeOperatorDeps) {
  const { database, members, sessions, apiClients, passwords, audit, notifyAll } = deps;
  return async (wanted: { email: string; displayName: string; password: string }): Promise<MadeOperator> => {
    const email = normalizeEmail(wanted.email);
    const passwordHash = await passwords.hash(wanted.password);
    return database.transaction(async (tx) => {
      const found = await members.lockByEmail(tx, email);
      if (found === undefined) {
        const { displayName } = wanted;
        const made = await members.insert(tx, { id: newUuid(), email, displayName, passwordHash, role: "operator" });
        await audit.record(tx, { kind: "OPERATOR_MADE", memberId: made.id });
        return { kind: "created", id: made.id };
      }
      if (found.state === "suspended")
        throw new FerryError("MEMBER_SUSPENDED", `${email} is suspended: another operator must reinstate them first`);
      await members.saveOperator(tx, found.id, passwordHash);
      await sessions.revokeAllOf(tx, found.id, new Date());
      await apiClients.deleteAllOf(tx, found.id);
      await audit.record(tx, { kind: "OPERATOR_MADE", memberId: found.id });
      await notifyAll(tx);
      return { kind: found.role === "operator" ? "renewed" : "promoted", id: found.id };
    });
  };
}
