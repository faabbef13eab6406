import { type Database, newUuid, type Queryable, type Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { AuditFact, Origin } from "../domain/audit.ts";
import { type Member, normalizeEmail } from "../domain/member.ts";
import { REFRESH_LIFE_MS } from "../domain/session.ts";
import type { Guesses } from "./guesses.ts";
import type { AccessTokens, RefreshTokens, Tokens } from "./tokens.ts";

interface Proven {
  member: Member;
  passwordHash: string;
}

interface MemberStore {
  findWithPassword(db: Queryable, email: string): Promise<Proven | undefined>;
  /** Undefined when the password is another one by now. */
  lockWithPassword(tx: Transaction, id: string, passwordHash: string): Promise<Member | undefined>;
}

interface SessionStore {
  open(
    tx: Transaction,
    session: { id: string; memberId: string; now: Date; expiresAt: Date; origin: Origin },
  ): Promise<void>;
  addToken(tx: Transaction, token: { hash: Buffer; sessionId: string; expiresAt: Date }): Promise<void>;
}

export interface CreateSessionDeps {
  database: Database;
  members: MemberStore;
  sessions: SessionStore;
  passwords: { verify(password: string, stored: string | undefined): Promise<boolean> };
  accessTokens: AccessTokens;
  refreshTokens: RefreshTokens;
  guesses: Pick<Guesses, "begin">;
  audit: { record(db: Queryable, fact: AuditFact): Promise<void> };
}

export interface CreateSession {
  email: string;
  password: string;
  origin: Origin;
}

/**
 * Logs in and opens a session.
 *
 * An unknown email costs the same work and gives the same answer as a wrong password, and a suspension is
 * told only to who knows the password: nobody learns here who is a member. Wrong passwords are counted by email and
 * by address, and each is told to the audit log.
 *
 * @throws FerryError CREDENTIALS_INVALID, MEMBER_SUSPENDED, RATE_LIMITED, OVERLOADED.
 */
export function createCreateSession(deps: CreateSessionDeps) {
  const { database, members, sessions, passwords, accessTokens, refreshTokens, guesses, audit } = deps;

  async function refuse(memberId: string | undefined, origin: Origin): Promise<never> {
    await audit.record(database, { kind: "LOG_IN", memberId, origin, outcome: "CREDENTIALS_INVALID" });
    throw new FerryError("CREDENTIALS_INVALID", "email or password is wrong");
  }

  /** @returns The member whose email and password these are. */
  async function prove({ email, password, origin }: CreateSession): Promise<Proven> {
    const guess = await guesses.begin(email, origin.address);
    let isDecided = false;
    try {
      const found = await members.findWithPassword(database, email);
      const isRight = await passwords.verify(password, found?.passwordHash);
      isDecided = true;
      if (found !== undefined && isRight) {
        await guess.right();
        return found;
      }
      await guess.wrong();
      return await refuse(found?.member.id, origin);
    } finally {
      if (!isDecided) await guess.dropped();
    }
  }

  return async (command: CreateSession): Promise<Tokens> => {
    const { origin } = command;
    const { member, passwordHash } = await prove({ ...command, email: normalizeEmail(command.email) });
    if (member.state === "suspended") {
      const outcome = "MEMBER_SUSPENDED";
      await audit.record(database, { kind: "LOG_IN", memberId: member.id, origin, outcome });
      throw new FerryError(outcome, "the member is suspended");
    }

    const sessionId = newUuid();
    const now = new Date();
    const expiresAt = new Date(now.getTime() + REFRESH_LIFE_MS);
    const { token, hash } = refreshTokens.make(sessionId);
    const by = { memberId: member.id, sessionId, clientId: undefined };
    const accessToken = await database.transaction(async (tx) => {
      // Looked at once more, under the lock that whoever makes an operator takes: between the two a log-in by an old
      // password would open a session that nobody ends any more.
      const present = await members.lockWithPassword(tx, member.id, passwordHash);
      if (present === undefined) return undefined;
      await sessions.open(tx, { id: sessionId, memberId: member.id, now, expiresAt, origin });
      await sessions.addToken(tx, { hash, sessionId, expiresAt });
      await audit.record(tx, { kind: "LOG_IN", memberId: member.id, by, origin });
      return accessTokens.sign({ memberId: member.id, sessionId, role: present.role });
    });
    return accessToken === undefined ? refuse(member.id, origin) : { accessToken, refreshToken: token };
  };
}
