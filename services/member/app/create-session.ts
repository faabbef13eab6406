import { type Database, newUuid, type Queryable, type Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { type Member, normalizeEmail } from "../domain/member.ts";
import { REFRESH_LIFE_MS } from "../domain/session.ts";
import type { AccessTokens, RefreshTokens, Tokens } from "./tokens.ts";

interface MemberStore {
  findWithPassword(db: Queryable, email: string): Promise<{ member: Member; passwordHash: string } | undefined>;
}

interface SessionStore {
  open(tx: Transaction, session: { id: string; memberId: string; now: Date; expiresAt: Date }): Promise<void>;
  addToken(tx: Transaction, token: { hash: Buffer; sessionId: string; expiresAt: Date }): Promise<void>;
}

export interface CreateSessionDeps {
  database: Database;
  members: MemberStore;
  sessions: SessionStore;
  passwords: { verify(password: string, stored: string | undefined): Promise<boolean> };
  accessTokens: AccessTokens;
  refreshTokens: RefreshTokens;
}

/**
 * Logs in and opens a session.
 *
 * An unknown email costs the same work and gives the same answer as a wrong password, and a suspension is
 * told only to who knows the password: nobody learns here who is a member.
 *
 * @throws FerryError CREDENTIALS_INVALID, MEMBER_SUSPENDED, OVERLOADED.
 */
export function createCreateSession(deps: CreateSessionDeps) {
  const { database, members, sessions, passwords, accessTokens, refreshTokens } = deps;
  return async (email: string, password: string): Promise<Tokens> => {
    const found = await members.findWithPassword(database, normalizeEmail(email));
    const isRight = await passwords.verify(password, found?.passwordHash);
    if (found === undefined || !isRight) throw new FerryError("CREDENTIALS_INVALID", "email or password is wrong");
    const { member } = found;
    if (member.state === "suspended") throw new FerryError("MEMBER_SUSPENDED", "the member is suspended");

    const sessionId = newUuid();
    const now = new Date();
    const expiresAt = new Date(now.getTime() + REFRESH_LIFE_MS);
    const accessToken = accessTokens.sign({ memberId: member.id, sessionId, role: member.role });
    const { token, hash } = refreshTokens.make(sessionId);
    await database.transaction(async (tx) => {
      await sessions.open(tx, { id: sessionId, memberId: member.id, now, expiresAt });
      await sessions.addToken(tx, { hash, sessionId, expiresAt });
    });
    return { accessToken, refreshToken: token };
  };
}
