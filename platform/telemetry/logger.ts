import { type BaseLogger, pino } from "pino";
import { currentContext, isSampled, traceIdOf } from "./context.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Structured log lines, one JSON object each, on standard output; request id and trace id are added by themselves. */
export interface Logger {
  debug(fields: Fields, message: string): void;
  info(fields: Fields, message: string): void;
  warn(fields: Fields, message: string): void;
  error(fields: Fields, message: string): void;
  /** A logger that adds these fields to each of its lines. */
  child(fields: Fields): Logger;
  /**
   * Writes one hop of a sampled trace; does nothing for others, so that a hop costs nothing.
   * @param kind What carried it: "rest", "grpc", "kafka", "bank", "sql".
   */
  hop(kind: string, name: string, startedAtMs: number, fields?: Fields & { traceparent?: string }): void;
}

export interface LoggerOptions {
  service: string;
  /** "debug", "info", "warn", "error" or "silent". Default "info". */
  level?: string;
}

/** Fields that never reach a log line, wherever they stand in its first two levels. */
const REDACTED = ["password", "authorization", "accessToken", "refreshToken", "token"].flatMap((name) => [
  name,
  `*.${name}`,
]);

interface PinoLogger extends Pick<BaseLogger, "debug" | "info" | "warn" | "error"> {
  child(fields: Fields): PinoLogger;
}

function wrap(inner: PinoLogger): Logger {
  return {
    debug: (fields, message) => inner.debug(fields, message),
    info: (fields, message) => inner.info(fields, message),
    warn: (fields, message) => inner.warn(fields, message),
    error: (fields, message) => inner.error(fields, message),
    child: (fields) => wrap(inner.child(fields)),
    hop(kind, name, startedAtMs, fields = {}) {
      const { traceparent = currentContext().traceparent, ...rest } = fields;
      if (!isSampled(traceparent)) return;
      const durationMs = Math.max(0, Date.now() - startedAtMs);
      inner.info({ hop: kind, name, startedAtMs, durationMs, traceId: traceIdOf(traceparent), ...rest }, "hop");
    },
  };
}

export function createLogger({ service, level = "info" }: LoggerOptions): Logger {
  const inner = pino({
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: REDACTED, censor: "(redacted)" },
    mixin() {
      const { requestId, traceparent } = currentContext();
      return traceparent === undefined && requestId === undefined ? {} : { requestId, traceId: traceIdOf(traceparent) };
    },
  });
  return wrap(inner);
}

/** A logger that writes nothing, for tests. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  hop() {},
  child: () => silentLogger,
};
