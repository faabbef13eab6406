import type { Authenticator, AuthorityState, Principal } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { METADATA, type Policy } from "@ferry/platform/rpc";

/**
 * Decides whether a caller may use an rpc, by the contract's policy. The service decides the same once more.
 *
 * @throws FerryError PERMISSION_DENIED, SCOPE_MISSING, MEMBER_SUSPENDED.
 */
export function authorize(policy: Policy, principal: Principal, authenticator: Authenticator): void {
  if (principal.kind === "service") throw new FerryError("PERMISSION_DENIED", "services do not call through the edge");
  if (policy.auth === "operator" && principal.kind !== "operator")
    throw new FerryError("PERMISSION_DENIED", "this is for operators");
  for (const scope of policy.scopes) if (!principal.scopes.has(scope)) throw scopeMissing(policy, principal);
  if (!policy.handlesSuspension && authenticator.isSuspended(principal.id))
    throw new FerryError("MEMBER_SUSPENDED", "the member is suspended");
}

function scopeMissing(policy: Policy, principal: Principal): FerryError {
  const missing = policy.scopes.filter((scope) => !principal.scopes.has(scope));
  return new FerryError("SCOPE_MISSING", `the token lacks the scope ${missing.join(" and ")}`);
}

/**
 * Looks once more at a caller who was let in a while ago, as whoever reads a stream.
 *
 * @throws FerryError SESSION_REVOKED, MEMBER_SUSPENDED.
 */
export function demandStillIn(principal: Principal | undefined, authority: AuthorityState): void {
  if (principal === undefined) return;
  if (principal.sessionId !== undefined && authority.isRevoked(principal.sessionId))
    throw new FerryError("SESSION_REVOKED", "the session was ended: log in again");
  if (authority.isSuspended(principal.id)) throw new FerryError("MEMBER_SUSPENDED", "the member is suspended");
}

const MAX_AGENT_LENGTH = 256;

/**
 * Tells a service where the caller of a public rpc is, and what it says it is, for what has no better name of them:
 * limits on guessing, the list of sessions, the audit log. A client's own headers of these names never travel on.
 *
 * @param userAgent The header as it came; what gRPC cannot carry in it becomes "?".
 */
export function addClient(forwarded: Record<string, string>, address: string, userAgent: string | undefined): void {
  forwarded[METADATA.clientAddress] = address;
  const agent = userAgent?.slice(0, MAX_AGENT_LENGTH).replace(/[^\x20-\x7e]/g, "?");
  if (agent) forwarded[METADATA.clientAgent] = agent;
}
