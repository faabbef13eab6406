import type { Origin } from "./audit.ts";
import type { Member } from "./member.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

/** How long a refresh token is good. Each use gives a new one, so that a session lives on while it is used. */
export const REFRESH_LIFE_MS = 30 * DAY_MS;

/** An open session, as its member may see it. */
export interface Session {
  id: string;
  createdAt: Date;
  lastUsedAt: Date;
  expiresAt: Date;
  /** Where it was used from last. */
  origin: Origin;
}

/** A refresh token that was issued once, with the session and the member that it belongs to. */
export interface IssuedRefreshToken {
  sessionId: string;
  expiresAt: Date;
  usedAt: Date | undefined;
  sessionRevokedAt: Date | undefined;
  member: Member;
}

export type RefreshDecision =
  | { kind: "rotate"; sessionId: string; member: Member }
  /** The token was used before: whoever holds it now, someone else holds it too. */
  | { kind: "revoke"; sessionId: string; member: Member }
  | { kind: "refuse"; reason: "TOKEN_INVALID" | "TOKEN_EXPIRED" | "SESSION_REVOKED" | "MEMBER_SUSPENDED" };

/**
 * Decides what a presented refresh token gives (RFC 9700, section 4.14.2: rotation with detection of reuse).
 *
 * There is no time of grace in which a used token is good again: a thief who is quicker than the owner would pass
 * through it unseen, and both would go on. A client whose answer was lost logs in anew.
 *
 * A suspended member's token is refused without being used up: after the suspension it is good again.
 *
 * @param issued Undefined when no such token was issued, or it has been forgotten.
 */
export function decideRefresh(issued: IssuedRefreshToken | undefined, now: Date): RefreshDecision {
  if (issued === undefined) return { kind: "refuse", reason: "TOKEN_INVALID" };
  const { sessionId, member } = issued;
  if (issued.sessionRevokedAt !== undefined) return { kind: "refuse", reason: "SESSION_REVOKED" };
  if (issued.usedAt !== undefined) return { kind: "revoke", sessionId, member };
  if (issued.expiresAt <= now) return { kind: "refuse", reason: "TOKEN_EXPIRED" };
  if (member.state === "suspended") return { kind: "refuse", reason: "MEMBER_SUSPENDED" };
  return { kind: "rotate", sessionId, member };
}
