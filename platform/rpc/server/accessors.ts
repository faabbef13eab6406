import type { HandlerContext } from "@connectrpc/connect";
import type { Principal } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { CallContext, type CallFacts, callFacts } from "./call-context.ts";

function factsOf(context: HandlerContext): CallFacts {
  return context instanceof CallContext ? context.facts : context.values.get(callFacts);
}

/**
 * Whom the call speaks for.
 *
 * @throws Error in the handler of a PUBLIC rpc: nobody has been asked who they are.
 */
export function principalOf(context: HandlerContext): Principal {
  const { principal } = factsOf(context);
  if (principal === undefined) throw new Error(`${context.method.name} is public: its callers have no principal`);
  return principal;
}

/**
 * Id of the member (or operator) who calls.
 *
 * @throws FerryError PERMISSION_DENIED when a service calls.
 */
export function memberIdOf(context: HandlerContext): string {
  const principal = principalOf(context);
  if (principal.kind === "service") throw new FerryError("PERMISSION_DENIED", "only members can do this");
  return principal.id;
}

/**
 * The idempotency key, 1 to 255 printable ASCII characters.
 *
 * @throws Error in the handler of an rpc whose contract does not require one.
 */
export function idempotencyKeyOf(context: HandlerContext): string {
  const { idempotencyKey } = factsOf(context);
  if (idempotencyKey === undefined) throw new Error(`${context.method.name} does not require an idempotency key`);
  return idempotencyKey;
}

/** How long the caller waits for the end of what it starts ("prefer: wait=SECONDS"), in milliseconds; 0 when it does not. */
export function waitMsOf(context: HandlerContext): number {
  return factsOf(context).waitMs;
}
