export type { CallSignal } from "./client/call-signal.ts";
export {
  type ChannelOptions,
  callUnary,
  createRpcClient,
  openChannel,
  type RpcChannel,
  type UnaryAnswer,
  type UnaryCallOptions,
} from "./client/channel.ts";
export { METADATA } from "./metadata.ts";
export { getPolicy, type Policy } from "./policy.ts";
export { idempotencyKeyOf, memberIdOf, principalOf, waitMsOf } from "./server/accessors.ts";
export { type CallFacts, callFacts } from "./server/call-context.ts";
export type { HealthRegistry } from "./server/health.ts";
export type { RpcServerLimits } from "./server/limits.ts";
export { createRpcServer, type RpcServer, type RpcServerOptions } from "./server/server.ts";
export { toConnectError, toFerryError } from "./status.ts";
export type { TlsOptions } from "./tls.ts";
export { compileRules, type FieldNames, validator } from "./validation.ts";
