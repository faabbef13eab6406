import type { TestContext } from "node:test";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Authenticator, Principal, ServiceIdentity } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { type Fields, type Logger, silentLogger } from "@ferry/platform/telemetry";
import { type ChannelOptions, createRpcClient, createRpcServer, openChannel, type RpcServerOptions } from "../index.ts";
import { type EchoService, PatientEchoService } from "./echo-service.ts";

/** "Bearer kind/id/scope,scope". Whose id begins with "suspended" is. */
export const authenticator: Authenticator = {
  authenticate(authorization): Principal {
    if (authorization === undefined) throw new FerryError("UNAUTHENTICATED", "no credentials");
    const [kind, id, scopes] = authorization.replace("Bearer ", "").split("/");
    if (kind !== "member" && kind !== "operator" && kind !== "service") throw new FerryError("TOKEN_INVALID", "bad");
    return { kind, id: id ?? "", scopes: new Set(scopes?.split(",")), expiresAt: Number.MAX_SAFE_INTEGER };
  },
  isSuspended: (id) => id.startsWith("suspended"),
};

export const identityOf = (name: string): ServiceIdentity => ({
  name,
  authorizationFor: () => `Bearer service/${name}`,
});

export const build = { service: "echo", version: "1.2.3", commit: "abc", buildTime: "2026-01-02T03:04:05Z" };

export interface Line {
  level: string;
  fields: Fields;
  message: string;
}

/** A logger that keeps its lines. */
export function keepingLogger(lines: Line[]): Logger {
  const keep = (level: string) => (fields: Fields, message: string) => void lines.push({ level, fields, message });
  const hop: Logger["hop"] = (kind, name, _startedAtMs, fields = {}) => keep("hop")({ kind, ...fields }, name);
  const logger: Logger = {
    ...{ debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") },
    hop,
    child: () => logger,
  };
  return logger;
}

/** A server of the patient test contract; it is stopped at the test's end. */
export async function serveEcho(
  context: TestContext,
  implementation: Partial<ServiceImpl<typeof EchoService>>,
  options: Partial<RpcServerOptions> = {},
) {
  const server = createRpcServer({
    service: "echo",
    port: 0,
    routes: (router) => void router.service(PatientEchoService, implementation),
    authenticator,
    logger: silentLogger,
    build,
    ...options,
    limits: { drainTimeoutMs: 500, ...options.limits },
  });
  await server.start();
  context.after(() => server.stop());
  return server;
}

/** To connect takes moments; this outlasts a pause of a busy machine. In milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/** A channel that is closed at the test's end. */
export function channelTo(context: TestContext, port: number, options: Partial<ChannelOptions> = {}) {
  const channel = openChannel({
    ...{ url: `http://127.0.0.1:${port}`, audience: "echo", logger: silentLogger },
    ...{ connectTimeoutMs: CONNECT_TIMEOUT_MS, ...options },
  });
  context.after(() => channel.close());
  return channel;
}

export function echoClient(context: TestContext, port: number, options: Partial<ChannelOptions> = {}) {
  return createRpcClient(PatientEchoService, channelTo(context, port, options));
}

/** The reason with which a call fails. */
export async function reasonOf(call: Promise<unknown> | AsyncIterable<unknown>): Promise<string> {
  try {
    if (Symbol.asyncIterator in call) for await (const _ of call);
    else await call;
    return "OK";
  } catch (error) {
    return error instanceof FerryError ? error.reason : `not a FerryError: ${String(error)}`;
  }
}
