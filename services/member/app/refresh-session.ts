import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { AuditFact, Origin } from "../domain/audit.ts";
import { decideRefresh, type IssuedRefreshToken, REFRESH_LIFE_MS } from "../domain/session.ts";
import type { AccessTokens, RefreshTokens, Tokens } from "./tokens.ts";

interface SessionStore {
  lockToken(tx: Transaction, hash: Buffer): Promise<IssuedRefreshToken | undefined>;
  useToken(tx: Transaction, hash: Buffer, use: { now: Date; expiresAt: Date; origin: Origin }): Promise<void>;
  addToken(tx: Transaction, token: { hash: Buffer; sessionId: string; expiresAt: Date }): Promise<void>;
  revoke(tx: Transaction, sessionId: string, now: Date): Promise<void>;
}

export interface RefreshSessionDeps {
  database: Database;
  sessions: SessionStore;
  accessTokens: AccessTokens;
  refreshTokens: RefreshTokens;
  audit: { record(db: Queryable, fact: AuditFact): Promise<void> };
  /** Tells the other replicas, when the transaction commits. */
  notifyRevoked(tx: Transaction, sessionId: string): Promise<void>;
  /** Tells whoever watches this replica. */
  pushRevoked(sessionId: string): void;
}

const MESSAGES = {
  TOKEN_INVALID: "refresh_token: not a refresh token that is known here",
  TOKEN_EXPIRED: "refresh_token: has expired, log in again",
  SESSION_REVOKED: "the session was ended: log in again",
  MEMBER_SUSPENDED: "the member is suspended",
} as const;

type Outcome = { kind: "tokens"; tokens: Tokens } | { kind: "revoked"; sessionId: string } | Refusal;
interface Refusal {
  kind: "refuse";
  reason: keyof typeof MESSAGES;
}

/** Exchanges a refresh token. @throws FerryError TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, MEMBER_SUSPENDED. */
export function createRefreshSession(deps: RefreshSessionDeps) {
  const { database, sessions, accessTokens, refreshTokens, audit } = deps;

  async function exchange(tx: Transaction, hash: Buffer, origin: Origin): Promise<Outcome> {
    const now = new Date();
    const decision = decideRefresh(await sessions.lockToken(tx, hash), now);
    switch (decision.kind) {
      case "refuse":
        return decision;
      case "revoke": {
        const { sessionId, member } = decision;
        await sessions.revoke(tx, sessionId, now);
        await deps.notifyRevoked(tx, sessionId);
        await audit.record(tx, { kind: "REFRESH_TOKEN_REUSED", memberId: member.id, sessionId, origin });
        return { kind: "revoked", sessionId };
      }
      case "rotate": {
        const { sessionId, member } = decision;
        const expiresAt = new Date(now.getTime() + REFRESH_LIFE_MS);
        const next = refreshTokens.make(sessionId);
        const accessToken = accessTokens.sign({ memberId: member.id, sessionId, role: member.role });
        await sessions.useToken(tx, hash, { now, expiresAt, origin });
        await sessions.addToken(tx, { hash: next.hash, sessionId, expiresAt });
        return { kind: "tokens", tokens: { accessToken, refreshToken: next.token } };
      }
    }
  }

  return async (refreshToken: string, origin: Origin): Promise<Tokens> => {
    const hash = refreshTokens.hashOf(refreshToken);
    if (hash === undefined) throw new FerryError("TOKEN_INVALID", MESSAGES.TOKEN_INVALID);
    // Refusals come back as values: thrown inside, they would roll the revocation back.
    const outcome = await database.transaction((tx) => exchange(tx, hash, origin));
    switch (outcome.kind) {
      case "tokens":
        return outcome.tokens;
      case "revoked":
        deps.pushRevoked(outcome.sessionId);
        throw new FerryError(
          "SESSION_REVOKED",
          "the refresh token was used before: its session is ended, log in again",
        );
      case "refuse":
        throw new FerryError(outcome.reason, MESSAGES[outcome.reason]);
    }
  };
}
