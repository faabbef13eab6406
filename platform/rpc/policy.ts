import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import {
  Auth,
  IdempotencyKey,
  type MethodPolicy,
  method as methodOption,
  Retry,
} from "@ferry/gen/ferry/options/v1/options_pb.ts";

/** What a contract says about one rpc, in the form that calls need. */
export interface Policy {
  auth: "public" | "member" | "operator" | "service";
  scopes: readonly string[];
  /** Services that may call; empty means any. */
  callers: ReadonlySet<string>;
  /** Time for a call that brings no deadline, in milliseconds; 0 for streams that stay open. */
  deadlineMs: number;
  /** The longest that "prefer: wait=SECONDS" can ask for, in milliseconds. */
  maxWaitMs: number;
  keyRequired: boolean;
  retrySafe: boolean;
  handlesSuspension: boolean;
}

const AUTH: ReadonlyMap<number, Policy["auth"]> = new Map([
  [Auth.PUBLIC, "public"],
  [Auth.MEMBER, "member"],
  [Auth.OPERATOR, "operator"],
  [Auth.SERVICE, "service"],
]);

/** For grpc.health and grpc.reflection, whose contracts are not ours: anybody may ask, and their streams stay open. */
function infrastructurePolicy(method: DescMethod): Policy {
  return {
    auth: "public",
    scopes: [],
    callers: new Set(),
    deadlineMs: method.methodKind === "unary" ? 1_000 : 0,
    maxWaitMs: 0,
    keyRequired: false,
    retrySafe: method.methodKind === "unary",
    handlesSuspension: false,
  };
}

/** Name of an rpc as on the wire, "/ferry.ledger.v1.LedgerService/GetAccount". */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/**
 * Reads the policy of an rpc from its contract.
 *
 * @throws Error, with file and rpc named, when the contract has none or contradicts itself: such an
 * rpc would be open to everybody or could wait for ever, so it is better not to start.
 */
export function getPolicy(method: DescMethod): Policy {
  if (method.parent.typeName.startsWith("grpc.")) return infrastructurePolicy(method);
  const where = `${method.parent.file.proto.name}: rpc ${method.parent.typeName}.${method.name}`;
  if (!hasOption(method, methodOption)) throw new Error(`${where} has no option (ferry.options.v1.method)`);
  const option: MethodPolicy = getOption(method, methodOption);
  const auth = AUTH.get(option.auth);
  if (auth === undefined) throw new Error(`${where} does not say who may call it (auth)`);
  if (option.deadlineMs < 0 || option.maxWaitMs < 0) throw new Error(`${where} has a negative deadline or wait`);
  if (option.deadlineMs === 0 && method.methodKind === "unary") throw new Error(`${where} has no deadline_ms`);
  return {
    auth,
    scopes: option.scopes,
    callers: new Set(option.callers),
    deadlineMs: option.deadlineMs,
    maxWaitMs: option.maxWaitMs,
    keyRequired: option.idempotencyKey === IdempotencyKey.REQUIRED,
    retrySafe: option.retry === Retry.SAFE,
    handlesSuspension: option.handlesSuspension,
  };
}

/** Milliseconds that "prefer: wait=SECONDS" (RFC 7240) asks for, at most what the contract allows; 0 when it asks for none. */
export function readWaitMs(prefer: string | null | undefined, policy: Policy): number {
  if (policy.maxWaitMs === 0 || prefer === null || prefer === undefined) return 0;
  const seconds = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})/i.exec(prefer)?.[1];
  return seconds === undefined ? 0 : Math.min(Number(seconds) * 1_000, policy.maxWaitMs);
}
