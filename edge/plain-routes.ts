import { create, type MessageShape } from "@bufbuild/protobuf";
import { BuildService } from "@ferry/gen/ferry/build/v1/build_pb.ts";
import { type AuthorityState, toJwks } from "@ferry/platform/auth";
import type { Build, Logger } from "@ferry/platform/telemetry";
import type { FastifyInstance } from "fastify";
import type { Backend } from "./backends.ts";
import { docsPaths } from "./docs-page/index.ts";
import { toFailure } from "./failures.ts";
import { OPENAPI_PATH } from "./openapi/index.ts";

const VERSION_TIMEOUT_MS = 1_000;
/** How long a client may keep the keys, in seconds: shorter than a new key is announced before it signs. */
const JWKS_MAX_AGE_SECONDS = 60;

/**
 * The paths that are served without the envelope, each by GET.
 * @param withDocs Whether the OpenAPI document and its page are among them.
 */
export function plainPaths(withDocs: boolean): ReadonlySet<string> {
  const always = ["/livez", "/readyz", "/version", "/.well-known/jwks.json"];
  return new Set(withDocs ? [...always, OPENAPI_PATH, ...docsPaths] : always);
}

export interface PlainRouteOptions {
  build: Build;
  authority: AuthorityState;
  backends: readonly Backend[];
  logger: Logger;
  isStopping(): boolean;
}

/** What whoever places and watches the process asks, and the keys; none of them in the envelope. */
export function addPlainRoutes(app: FastifyInstance, options: PlainRouteOptions): void {
  const { build, authority, backends, logger, isStopping } = options;

  app.get("/livez", async () => ({ status: "ok" }));

  app.get("/readyz", async (_request, reply) => {
    const reasons = isStopping() ? ["edge: stopping"] : [];
    const unknown = authority.unready();
    if (unknown !== undefined) reasons.push(`authority: ${unknown}`);
    // Anybody may ask: at which address a backend was looked for is for the log.
    for (const backend of backends) if (backend.unready() !== undefined) reasons.push(`${backend.name}: no connection`);
    if (reasons.length > 0) reply.code(503);
    return { status: reasons.length === 0 ? "ok" : "unready", reasons };
  });

  let told: { untilMs: number; services: Promise<object> } | undefined;
  app.get("/version", async () => {
    if (told === undefined || told.untilMs < Date.now())
      told = { untilMs: Date.now() + VERSION_TIMEOUT_MS, services: buildsOf(backends, logger) };
    const { version, commit, buildTime } = build;
    return { version, commit, buildTime, services: await told.services };
  });

  app.get("/.well-known/jwks.json", async (_request, reply) => {
    reply.header("cache-control", `public, max-age=${JWKS_MAX_AGE_SECONDS}`);
    return toJwks(authority.keys());
  });
}

/** Asks all services at once; the answer is shared for a moment, since anybody may ask and each question is several calls. */
async function buildsOf(backends: readonly Backend[], logger: Logger): Promise<object> {
  const asked = backends.map(async (backend) => [backend.name, await buildOfBackend(backend, logger)] as const);
  return Object.fromEntries(await Promise.all(asked));
}

async function buildOfBackend(backend: Backend, logger: Logger) {
  const rpc = BuildService.method.getBuild;
  try {
    const answer = await backend.unary(rpc, create(rpc.input), { headers: {}, timeoutMs: VERSION_TIMEOUT_MS });
    const { version, commit, buildTime } = answer as MessageShape<typeof rpc.output>;
    return { version, commit, buildTime };
  } catch (error) {
    const failure = toFailure(error);
    logger.debug({ backend: backend.name, reason: failure.reason }, "a service did not tell its version");
    return { error: failure.reason };
  }
}
