import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import { FerryError } from "@ferry/platform/errors";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { AdmissionOptions } from "./admission.ts";
import { allowHeader, splitTarget } from "./target.ts";

/**
 * What browsers are told: nothing of an API's answers is to be framed, sniffed or run. Helmet says it in headers
 * that are the same for every answer, so it is asked once, not for each.
 */
export async function browserHeaders(): Promise<Record<string, string>> {
  const probe = fastify();
  await probe.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { "default-src": ["'none'"], "frame-ancestors": ["'none'"] },
    },
  });
  probe.get("/", (_request, reply) => void reply.code(204).send());
  const { headers } = await probe.inject("/");
  await probe.close();
  const ofTheAnswer = new Set(["connection", "date", "content-length", "content-type"]);
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !ofTheAnswer.has(name))
      .map(([name, value]) => [name, String(value)]),
  );
}

/**
 * Answers OPTIONS for every path that exists, with its methods in Allow. Only pages of listed origins may read
 * answers.
 * @param more Headers of other doors than REST.
 */
export async function addOptions(
  app: FastifyInstance,
  { routes, plainPaths }: Pick<AdmissionOptions, "routes" | "plainPaths">,
  corsOrigins: readonly string[],
  more: { allowed: readonly string[]; exposed: readonly string[] } = { allowed: [], exposed: [] },
): Promise<void> {
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { path } = splitTarget(request.raw.url ?? "");
    const found = routes.find("OPTIONS", path);
    const plain = plainPaths.has(path) ? ["GET"] : [];
    const allow = allowHeader(found !== undefined && "allowed" in found ? found.allowed : plain);
    // A page is to learn that there is no such path from the answer to its request, not from a refused preflight.
    if (allow.length === 0 && !isPreflight(request)) throw new FerryError("ROUTE_NOT_FOUND", "there is no such route");
    if (allow.length > 0) reply.header("allow", allow.join(", "));
    return reply.code(204).send();
  };
  if (corsOrigins.length === 0) {
    app.options("/*", answer);
    return;
  }
  await addCors(app, corsOrigins, more);
  // The plugin has taken the route, and its own answer knows no methods.
  app.addHook("onRequest", (request, reply, done) => {
    if (request.raw.method === "OPTIONS") answer(request, reply).catch(done);
    else done();
  });
}

function isPreflight({ headers, corsPreflightEnabled }: FastifyRequest & { corsPreflightEnabled?: boolean }): boolean {
  return corsPreflightEnabled === true && headers["access-control-request-method"] !== undefined;
}

async function addCors(
  app: FastifyInstance,
  corsOrigins: readonly string[],
  more: { allowed: readonly string[]; exposed: readonly string[] },
): Promise<void> {
  await app.register(cors, {
    origin: [...corsOrigins],
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    allowedHeaders: [
      ...["authorization", "content-encoding", "content-type", "idempotency-key", "if-none-match", "last-event-id"],
      ...["prefer", "traceparent", "x-request-id"],
      ...more.allowed,
    ],
    exposedHeaders: [
      ...["allow", "deprecation", "etag", "idempotency-replayed", "link", "preference-applied", "ratelimit"],
      ...["ratelimit-policy", "retry-after", "sunset", "x-request-id"],
      ...more.exposed,
    ],
    maxAge: 600,
    strictPreflight: false,
    preflightContinue: true,
  });
}
