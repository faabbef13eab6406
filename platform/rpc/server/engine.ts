import type { EventEmitter } from "node:events";
import { constants, type IncomingHttpHeaders, type ServerHttp2Session } from "node:http2";
import { Server, type ServerInterceptingCall } from "@grpc/grpc-js";
import { asBuffer } from "../metadata.ts";
import { serverCredentials, type TlsOptions } from "../tls.ts";
import { DrivenCall, type EngineCall, type ServerState } from "./driven-call.ts";
import type { RpcServerLimits } from "./limits.ts";
import type { ServedMethod } from "./method.ts";

const KINDS = {
  unary: "unary",
  server_streaming: "serverStream",
  client_streaming: "clientStream",
  bidi_streaming: "bidi",
} as const;

/** A day: longer deadlines mean nothing to a call, and beyond 24 days the engine's own arithmetic overflows. */
const LONGEST_TIMEOUT_S = 86_400;
const SECONDS_OF_UNIT: Readonly<Record<string, number>> = { H: 3_600, M: 60, S: 1 };

/** Each call is driven from a server interceptor, before any handler of the engine's. */
function createServer(methods: readonly ServedMethod[], state: ServerState): Server {
  const byPath = new Map(methods.map((method) => [method.path, method]));
  const server = new Server({
    ...engineOptions(state.limits),
    interceptors: [
      (definition, call) => {
        const method = byPath.get(definition.path);
        if (method === undefined) return call as ServerInterceptingCall;
        // The engine only uses the interface, which DrivenCall has; its type asks for its own class.
        return new DrivenCall(call as EngineCall, method, state) as unknown as ServerInterceptingCall;
      },
    ],
  });
  for (const { path, spec } of methods) {
    const added = server.register(path, unreachable, asBuffer, (bytes: Buffer) => bytes, KINDS[spec.kind]);
    if (!added) throw new Error(`rpc ${path} has two implementations`);
  }
  return server;
}

function unreachable(): never {
  throw new Error("calls are answered by the interceptor");
}

function engineOptions(limits: RpcServerLimits) {
  return {
    "grpc.max_receive_message_length": limits.maxMessageBytes,
    "grpc.max_send_message_length": limits.maxMessageBytes,
    "grpc.max_concurrent_streams": limits.maxConcurrentStreams,
    "grpc-node.max_session_memory": limits.maxSessionMemoryMb,
    "grpc.max_connection_age_ms": limits.maxConnectionAgeMs,
    "grpc.max_connection_age_grace_ms": limits.maxConnectionAgeGraceMs,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.enable_channelz": 0,
  };
}

export interface Engine {
  /** Resolves with the port that it listens on. */
  listen(host: string, port: number, tls: TlsOptions | undefined): Promise<number>;
  /** Lets calls in flight end, refuses new ones, and cuts off what is left after the time. */
  drain(timeoutMs: number): Promise<"drained" | "forced">;
}

/** The engine with all rpcs registered. */
export function createEngine(methods: readonly ServedMethod[], state: ServerState): Engine {
  const server = createServer(methods, state);
  const sessions = new Set<ServerHttp2Session>();
  return {
    async listen(host, port, tls) {
      const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
      const bound = await new Promise<number>((resolve, reject) => {
        server.bindAsync(address, serverCredentials(tls), (error, actual) => {
          if (error === null) resolve(actual);
          else reject(new Error(`gRPC cannot listen on ${address}: ${error.message}`, { cause: error }));
        });
      });
      for (const listener of listenersOf(server)) {
        listener.prependListener("stream", limitTimeout);
        listener.on("session", (session: ServerHttp2Session) => {
          sessions.add(session);
          session.once("close", () => sessions.delete(session));
        });
      }
      return bound;
    },
    drain: (timeoutMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => {
          server.forceShutdown();
          // Without channelz the engine forgets to close what it should: it counts connections for channelz only.
          for (const session of sessions) session.destroy(undefined, constants.NGHTTP2_CANCEL);
          resolve("forced");
        }, timeoutMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve("drained");
        });
      }),
  };
}

/** The engine's HTTP/2 servers, which it does not show. */
function listenersOf(server: Server): Iterable<EventEmitter> {
  const { http2Servers } = server as unknown as { http2Servers?: Map<EventEmitter, unknown> };
  return http2Servers?.keys() ?? [];
}

/**
 * Shortens an absurd grpc-timeout before the engine reads it: it counts in 32 bits, so that "99999999H"
 * would have passed already.
 */
function limitTimeout(_stream: unknown, headers: IncomingHttpHeaders): void {
  const text = headers["grpc-timeout"];
  if (typeof text !== "string") return;
  const unit = SECONDS_OF_UNIT[text.slice(-1)];
  if (unit === undefined || Number(text.slice(0, -1)) * unit <= LONGEST_TIMEOUT_S) return;
  headers["grpc-timeout"] = `${LONGEST_TIMEOUT_S}S`;
}
