import type { HandlerContext } from "@connectrpc/connect";
import { FerryError } from "@ferry/platform/errors";
import { METADATA, principalOf } from "@ferry/platform/rpc";
import type { Caller, Origin } from "../domain/audit.ts";

const MAX_ADDRESS_LENGTH = 64;
const MAX_AGENT_LENGTH = 256;

/** Where the caller of a public rpc is, as the edge says. */
export function originOf({ requestHeader }: HandlerContext): Origin {
  return {
    address: (requestHeader.get(METADATA.clientAddress) ?? "").slice(0, MAX_ADDRESS_LENGTH),
    userAgent: (requestHeader.get(METADATA.clientAgent) ?? "").slice(0, MAX_AGENT_LENGTH),
  };
}

/** Who calls, and in which session. @throws FerryError PERMISSION_DENIED when a service calls. */
export function callerOf(context: HandlerContext): Caller {
  const { kind, id, sessionId, clientId } = principalOf(context);
  if (kind === "service" || sessionId === undefined)
    throw new FerryError("PERMISSION_DENIED", "only members can do this");
  return { memberId: id, sessionId, clientId };
}

/** A UUID is the same in either case. */
export const idOf = (text: string): string => text.toLowerCase();
