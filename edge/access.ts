import type { Authenticator, Principal } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import type { Policy } from "@ferry/platform/rpc";

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
