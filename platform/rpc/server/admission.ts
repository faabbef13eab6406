import type { IncomingHttpHeaders } from "node:http2";
import type { Authenticator, Principal } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { firstText, METADATA } from "../metadata.ts";
import { type Policy, readWaitMs } from "../policy.ts";
import type { CallFacts } from "./call-context.ts";

const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

/**
 * Decides, before the request is read, whether a call may come in, and finds out what its handler needs to know.
 *
 * @throws FerryError UNAUTHENTICATED and its kin, PERMISSION_DENIED, MEMBER_SUSPENDED, SCOPE_MISSING, IDEMPOTENCY_KEY_INVALID.
 */
export function admit(policy: Policy, headers: IncomingHttpHeaders, authenticator: Authenticator): CallFacts {
  const principal = policy.auth === "public" ? undefined : authorize(policy, headers, authenticator);
  return {
    principal,
    idempotencyKey: policy.keyRequired ? readIdempotencyKey(headers) : undefined,
    waitMs: policy.maxWaitMs === 0 ? 0 : readWaitMs(firstText(headers, METADATA.prefer), policy),
  };
}

function authorize(policy: Policy, headers: IncomingHttpHeaders, authenticator: Authenticator): Principal {
  const principal = authenticator.authenticate(firstText(headers, METADATA.authorization));
  if (!mayCall(policy, principal)) throw new FerryError("PERMISSION_DENIED", deniedMessage(policy));
  if (principal.kind === "service") return principal;
  if (!policy.handlesSuspension && authenticator.isSuspended(principal.id))
    throw new FerryError("MEMBER_SUSPENDED", "the member is suspended");
  const missing = policy.scopes.filter((scope) => !principal.scopes.has(scope));
  if (missing.length > 0) throw new FerryError("SCOPE_MISSING", `the token lacks the scope ${missing.join(", ")}`);
  return principal;
}

function mayCall({ auth, callers }: Policy, { kind, id }: Principal): boolean {
  switch (auth) {
    case "public":
      return true;
    case "member":
      return kind === "member" || kind === "operator";
    case "operator":
      return kind === "operator";
    case "service":
      return kind === "service" && (callers.size === 0 || callers.has(id));
    default:
      return auth satisfies never;
  }
}

function deniedMessage({ auth, callers }: Policy): string {
  if (auth === "service")
    return `only services may call this${callers.size === 0 ? "" : `: ${[...callers].join(", ")}`}`;
  return auth === "operator" ? "only operators may call this" : "only members may call this";
}

function readIdempotencyKey(headers: IncomingHttpHeaders): string {
  const key = headers[METADATA.idempotencyKey];
  if (key === undefined) throw new FerryError("IDEMPOTENCY_KEY_INVALID", "an idempotency key is required");
  if (typeof key !== "string" || !IDEMPOTENCY_KEY.test(key))
    throw new FerryError("IDEMPOTENCY_KEY_INVALID", "the idempotency key must be 1 to 255 printable ASCII characters");
  return key;
}
