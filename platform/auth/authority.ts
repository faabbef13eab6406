import type { KeyObject } from "node:crypto";
import type { WatchAuthorityResponse } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import { MAX_KID_LENGTH, readPublicKey } from "./keys.ts";
import { ACCESS_TOKEN } from "./tokens.ts";
import { CLOCK_SKEW_SECONDS } from "./verify.ts";

/** Whose tokens are good, by what is known here now. */
export interface AuthorityState {
  /** Public keys that access tokens may be signed under, by kid. */
  keys(): ReadonlyMap<string, KeyObject>;
  isSuspended(memberId: string): boolean;
  /** Whether a session was ended while access tokens of it may still be about. */
  isRevoked(sessionId: string): boolean;
  /** Why tokens cannot be verified now; undefined when they can. */
  unready(): string | undefined;
}

/** One step of the authority's stream, as in ferry.auth.v1. */
export type AuthorityChange = Pick<
  WatchAuthorityResponse,
  "snapshot" | "suspendedMemberIds" | "reinstatedMemberIds" | "revokedSessionIds"
> & { keys: readonly { kid: string; publicKeyPem: string }[] };

export interface MutableAuthorityState extends AuthorityState {
  /**
   * @param goesOn Whether more of a snapshot is still to come: what was known before holds until then. Default false.
   * @throws KeyError when a key is not for ES256; the state is then as before.
   */
  apply(change: AuthorityChange, goesOn?: boolean): void;
  /** All that is known, as the change that would bring another state to it. */
  snapshot(): AuthorityChange;
}

/**
 * Ids in one list of a message of the authority's stream, at most, so that all of them stay below the limit of a
 * message. A snapshot with a list that is full goes on in the next message.
 */
export const MAX_LISTED = 10_000;

/** Whether a message of the stream is followed by more of the same snapshot, when it is of one. */
export function isFull(change: AuthorityChange): boolean {
  const { suspendedMemberIds, reinstatedMemberIds, revokedSessionIds } = change;
  return [suspendedMemberIds, reinstatedMemberIds, revokedSessionIds].some((ids) => ids.length >= MAX_LISTED);
}

/**
 * After this no access token of an ended session is good any more, and the session is forgotten. Whoever signed it may
 * have had a clock that was ahead, and whoever verifies it lets it live for as much longer.
 */
export const REVOCATION_LIFE_MS = (ACCESS_TOKEN.lifeSeconds + 2 * CLOCK_SKEW_SECONDS) * 1_000;

/** An authority's state in memory: a snapshot replaces all of it, other changes add to it. */
export function createAuthorityState(now: () => number = Date.now): MutableAuthorityState {
  let keys = new Map<string, KeyObject>();
  let pems = new Map<string, string>();
  const suspended = new Set<string>();
  const revokedUntil = new Map<string, number>();
  let known = false;
  /** What was known before a snapshot and is not in it so far; undefined while none is under way. */
  let unconfirmed: { suspended: Set<string>; revoked: Set<string> } | undefined;

  /** A key that stays keeps its object, by which caches of verified tokens see that it is the same. */
  function replaceKeys(given: AuthorityChange["keys"]): void {
    const next = new Map<string, KeyObject>();
    for (const { kid, publicKeyPem } of given) {
      const same = pems.get(kid) === publicKeyPem ? keys.get(kid) : undefined;
      next.set(kid, same ?? readPublicKey(publicKeyPem, `public key ${kid.slice(0, MAX_KID_LENGTH)}`));
    }
    keys = next;
    pems = new Map(given.map(({ kid, publicKeyPem }) => [kid, publicKeyPem]));
  }

  /** The oldest come first, because all live equally long. */
  function forgetOldRevocations(): void {
    for (const [sessionId, until] of revokedUntil) {
      if (until > now()) return;
      revokedUntil.delete(sessionId);
    }
  }

  /** Only now: between the messages of a snapshot nobody must be let in who is in a later one. */
  function completeSnapshot(): void {
    if (unconfirmed === undefined) return;
    for (const memberId of unconfirmed.suspended) suspended.delete(memberId);
    for (const sessionId of unconfirmed.revoked) revokedUntil.delete(sessionId);
    unconfirmed = undefined;
    known = true;
  }

  return {
    keys: () => keys,
    isSuspended: (memberId) => suspended.has(memberId),
    isRevoked: (sessionId) => revokedUntil.has(sessionId),
    unready: () => (known ? undefined : "the state of the authority is not known yet"),
    snapshot: () => ({
      snapshot: true,
      keys: [...pems].map(([kid, publicKeyPem]) => ({ kid, publicKeyPem })),
      suspendedMemberIds: [...suspended],
      reinstatedMemberIds: [],
      revokedSessionIds: [...revokedUntil.keys()],
    }),
    apply(change, goesOn = false) {
      if (change.snapshot || change.keys.length > 0) replaceKeys(change.keys);
      if (change.snapshot) unconfirmed = { suspended: new Set(suspended), revoked: new Set(revokedUntil.keys()) };
      for (const memberId of change.suspendedMemberIds) {
        suspended.add(memberId);
        unconfirmed?.suspended.delete(memberId);
      }
      for (const memberId of change.reinstatedMemberIds) suspended.delete(memberId);
      forgetOldRevocations();
      for (const sessionId of change.revokedSessionIds) {
        revokedUntil.delete(sessionId);
        revokedUntil.set(sessionId, now() + REVOCATION_LIFE_MS);
        unconfirmed?.revoked.delete(sessionId);
      }
      if (!goesOn) completeSnapshot();
    },
  };
}
