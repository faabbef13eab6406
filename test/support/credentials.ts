import type { CallOptions } from "@connectrpc/connect";
import type { Authenticator } from "@ferry/platform/auth";
import { newUuid } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";

/** Credentials of a member, and what else goes with a call. */
export function as(memberId: string, headers: Record<string, string> = {}): CallOptions {
  return { headers: { authorization: `member ${memberId}`, ...headers } };
}

export const asOperator: CallOptions = { headers: { authorization: `operator ${newUuid()}` } };

/** For tests: takes "member ID" and "operator ID" at their word, with these scopes and those of operations. */
export function createTestAuthenticator(scopes: readonly string[], suspended: ReadonlySet<string>): Authenticator {
  const all = new Set([...scopes, "operations:read", "operations:write"]);
  return {
    authenticate(authorization = "") {
      const [kind, id = ""] = authorization.split(" ");
      if (kind !== "member" && kind !== "operator") throw new FerryError("UNAUTHENTICATED", "no credentials");
      return { kind, id, scopes: all, expiresAt: Number.MAX_SAFE_INTEGER };
    },
    isSuspended: (id) => suspended.has(id),
  };
}
