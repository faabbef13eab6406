import type { EventEmitter } from "node:events";
import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { FerryError } from "@ferry/platform/errors";
import { Server } from "@grpc/grpc-js";
import { ACCEPTED_ENCODINGS, isAccepted } from "../frames.ts";
import { toWireStatus } from "../status.ts";
import { serverCredentials, type TlsOptions } from "../tls.ts";
import { DrivenCall, type ServerState } from "./driven-call.ts";
import { IncomingCall } from "./incoming-call.ts";
import type { RpcServerLimits } from "./limits.ts";
import type { ServedMethod } from "./method.ts";

/** gRPC with protobuf: "+json" or "-web" after it is another protocol. */
const CONTENT_TYPE = /^application\/grpc(?:\+proto)?(?:\s*;|$)/;

/** The HTTP status for what is no call at all; undefined for a call. */
function refusalOf(headers: IncomingHttpHeaders): number | undefined {
  if (headers[":method"] !== "POST") return 405;
  return CONTENT_TYPE.test(headers["content-type"] ?? "") ? undefined : 415;
}

/** Takes the streams of all connections: finds the rpc of each, and drives the call. */
function takeStream(byPath: ReadonlyMap<string, ServedMethod>, state: ServerState) {
  return (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    stream.on("error", ignore); // Each error has a close, which ends the call.
    const refusal = refusalOf(headers);
    if (refusal !== undefined) {
      if (stream.closed || stream.destroyed) return; // To answer what was reset with its request throws.
      stream.respond({ ":status": refusal }, { endStream: true });
      stream.resume();
      return;
    }
    const call = new IncomingCall(stream, headers, state.limits.maxMessageBytes);
    const path = String(headers[":path"]);
    const method = byPath.get(path);
    const refuse = (text: string) => call.fail(toWireStatus(new FerryError("UNIMPLEMENTED", text)), []);
    if (method === undefined) refuse(`there is no rpc ${path}`);
    else if (!isAccepted(headers["grpc-encoding"])) refuse(`messages may be packed with ${ACCEPTED_ENCODINGS} only`);
    else new DrivenCall(call, method, state).start();
  };
}

function ignore(): void {}

function indexByPath(methods: readonly ServedMethod[]): ReadonlyMap<string, ServedMethod> {
  const byPath = new Map<string, ServedMethod>();
  for (const method of methods) {
    if (byPath.has(method.path)) throw new Error(`rpc ${method.path} has two implementations`);
    byPath.set(method.path, method);
  }
  return byPath;
}

function engineOptions(limits: RpcServerLimits) {
  return {
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

/**
 * The engine: it listens, secures and keeps connections, ages and drains them. What comes over them is taken
 * here, below its own calls, interceptors and handlers.
 *
 * @throws Error when an rpc has two implementations.
 */
export function createEngine(methods: readonly ServedMethod[], state: ServerState): Engine {
  const server = new Server(engineOptions(state.limits));
  const take = takeStream(indexByPath(methods), state);
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
        listener.removeAllListeners("stream");
        listener.on("stream", take);
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
function listenersOf(server: Server): EventEmitter[] {
  const { http2Servers } = server as unknown as { http2Servers?: Map<EventEmitter, unknown> };
  if (http2Servers === undefined) throw new Error("this release of grpc-js keeps its servers elsewhere");
  return [...http2Servers.keys()];
}
