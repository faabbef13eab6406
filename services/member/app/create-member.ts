import { newUuid, type Queryable } from "@ferry/platform/db";
import { type Member, normalizeEmail, type Role } from "../domain/member.ts";

interface MemberStore {
  insert(
    db: Queryable,
    member: { id: string; email: string; displayName: string; passwordHash: string; role: Role },
  ): Promise<Member>;
}

export interface CreateMember {
  email: string;
  password: string;
  displayName: string;
}

export interface CreateMemberDeps {
  database: Queryable;
  store: MemberStore;
  passwords: { hash(password: string): Promise<string> };
}

/** Signs a person up. @throws FerryError EMAIL_TAKEN, OVERLOADED. */
export function createCreateMember({ database, store, passwords }: CreateMemberDeps) {
  return async ({ email, password, displayName }: CreateMember): Promise<Member> => {
    const passwordHash = await passwords.hash(password);
    const id = newUuid();
    return store.insert(database, { id, email: normalizeEmail(email), displayName, passwordHash, role: "member" });
  };
}
