/** Every limit of a server, with its default. */
export interface RpcServerLimits {
  /** Largest message in either direction, in bytes. Default 4 MiB. */
  maxMessageBytes: number;
  /** Calls whose handlers run at once; one more is refused with OVERLOADED. Default 4,096. */
  maxInFlight: number;
  /** Calls at once on one connection; more wait at the client. Default 4,096. */
  maxConcurrentStreams: number;
  /** Memory of one connection, in megabytes; beyond it new calls are refused. Default 64. */
  maxSessionMemoryMb: number;
  /** Names and values of a call's metadata together, in bytes. Default 16 KiB. */
  maxMetadataBytes: number;
  /** After this time a connection is closed in good order, so that callers find new instances. In milliseconds, default 30 minutes. */
  maxConnectionAgeMs: number;
  /** How long calls may go on when their connection is too old, in milliseconds. Default 60,000. */
  maxConnectionAgeGraceMs: number;
  /** How long a stop waits for calls in flight, in milliseconds. Default 5,000. */
  drainTimeoutMs: number;
}

export const DEFAULT_LIMITS: RpcServerLimits = {
  maxMessageBytes: 4 * 1_024 * 1_024,
  maxInFlight: 4_096,
  maxConcurrentStreams: 4_096,
  maxSessionMemoryMb: 64,
  maxMetadataBytes: 16 * 1_024,
  maxConnectionAgeMs: 1_800_000,
  maxConnectionAgeGraceMs: 60_000,
  drainTimeoutMs: 5_000,
};
