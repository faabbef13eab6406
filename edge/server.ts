import { METHODS } from "node:http";
import type { AddressInfo } from "node:net";
import type { Authenticator, AuthorityState } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import type { Component } from "@ferry/platform/lifecycle";
import { type Build, isSampled, type Logger } from "@ferry/platform/telemetry";
import { type FastifyInstance, fastify } from "fastify";
import { createAdmission } from "./admission.ts";
import type { Backend } from "./backends.ts";
import { largestBody, readBodies } from "./body-limit.ts";
import { addOptions, browserHeaders } from "./browsers.ts";
import { createCompress } from "./compression.ts";
import type { EdgeLimits } from "./config.ts";
import { addDocsPage } from "./docs-page/index.ts";
import { addDoors, DOOR_CORS, type Door, withDoors } from "./doors/index.ts";
import { answerClientError, sendFailure } from "./failures.ts";
import { createInFlight, type InFlight } from "./in-flight.ts";
import { createLoopLag } from "./loop-lag.ts";
import { showProtection } from "./metrics.ts";
import { addOpenApi } from "./openapi/index.ts";
import { addPlainRoutes, plainPaths } from "./plain-routes.ts";
import { createRateLimits } from "./rate-limits.ts";
import { factsOf } from "./request-facts.ts";
import { createHandler } from "./rest.ts";
import { compileEdgeRoutes, type EdgeRoutes } from "./routes.ts";
import { watchSockets } from "./sockets.ts";
import { createStreams } from "./streams.ts";
import { allowHeader, splitTarget } from "./target.ts";

const MAX_HEADER_BYTES = 16_384;
/**
 * Connections that the system keeps until they are accepted, at most what it allows itself (net.core.somaxconn, 4,096
 * by default). Node's 511 are used up when the event loop is late for a fifth of a second under three times the load,
 * and who comes then is reset, where a 503 is meant.
 */
const BACKLOG = 4_096;
const HEADERS_TIMEOUT_MS = 10_000;
/** Longer than the 60 s of most load balancers, so that it is they who close an idle connection. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** How often Node looks for connections whose time is over. Its default of 30 s would stretch every limit by that. */
const CONNECTION_CHECK_MS = 5_000;
/** Time for requests in flight when the edge stops; below the 9 s that a process has for its whole stop. */
const DRAIN_MS = 6_000;
const DRAIN_CONNECTIONS_MS = 7_500;

export interface EdgeOptions {
  port: number;
  host: string;
  corsOrigins: readonly string[];
  trustedProxies: readonly string[];
  /** Protocols that are spoken beside REST. Default none. */
  doors?: readonly Door[];
  /** Whether /openapi.json and /docs are served. Default "on". */
  docs?: "on" | "off";
  /** A PostgreSQL database in which several edges share the rate limits. Default: each counts by itself. */
  rateStoreUrl?: string;
  limits: EdgeLimits;
}

export interface EdgeParts {
  options: EdgeOptions;
  backends: readonly Backend[];
  authenticator: Authenticator;
  authority: AuthorityState;
  build: Build;
  logger: Logger;
  /** Default: what the contracts of the exposed services say. */
  routes?: EdgeRoutes;
}

export interface Edge {
  /** Ready for `inject`; it listens when its component is started. */
  app: FastifyInstance;
  components: readonly Component[];
  /** Where it listens, after the start. */
  port(): number;
}

/**
 * Builds the REST door from the contracts.
 * @throws ContractError when a contract cannot be served.
 */
export async function buildEdge(parts: EdgeParts): Promise<Edge> {
  const { options, backends, authenticator, authority, build, logger } = parts;
  const { limits, doors = [], docs = "on" } = options;
  const routes = parts.routes ?? compileEdgeRoutes(new Map(backends.map((backend) => [backend.name, backend])));
  const inFlight = createInFlight(limits.maxInFlight, createLoopLag(limits.maxLoopLagMs));
  const rates = createRateLimits(limits, options.rateStoreUrl ?? "");
  const streams = createStreams({ max: limits.maxStreams, maxEach: limits.maxStreamsEach });
  let stopping = false;
  let hide = () => {};

  const app = createApp(options, routes, logger);
  const sockets = watchSockets(app.server, { maxEach: limits.maxConnectionsEach, stallMs: limits.answerStallMs });
  app.decorateRequest("facts", null as never);
  const fixedHeaders = { ...(await browserHeaders()), "cache-control": "no-store" };
  // Hooks that wait for nothing take a callback: a promise for each would be the greater part of their cost.
  app.addHook("onRequest", (request, reply, done) => {
    request.facts = factsOf(request.raw);
    reply.headers(fixedHeaders).header("x-request-id", request.facts.requestId);
    done(request.raw.headers.host === undefined ? missingHost(request.raw) : undefined);
  });
  app.addHook("onSend", (_request, reply, payload, done) => {
    // Node waits for connections that were busy when the stop began, even when they are idle after their answer.
    if (stopping) reply.header("connection", "close");
    done(null, payload);
  });
  app.addHook("onSend", createCompress(routes));
  app.addHook("onResponse", ({ facts, raw }, { statusCode }, done) => {
    const { match, traceparent, startedAtMs, requestId } = facts;
    if (isSampled(traceparent)) {
      const path = match?.plan.route.template.source ?? splitTarget(raw.url ?? "").path;
      logger.hop("rest", `${raw.method} ${path}`, startedAtMs, { traceparent, requestId, status: statusCode });
    }
    done();
  });
  app.setErrorHandler((error, request, reply) => sendFailure(reply, request.facts, error, logger));
  app.setNotFoundHandler((request, reply) => {
    const error = new FerryError("ROUTE_NOT_FOUND", "there is no such route");
    return sendFailure(reply, request.facts, error, logger);
  });
  const plain = { plainPaths: plainPaths(docs === "on") };
  const offered = { ...plain, routes: withDoors(routes, doors) };
  await addOptions(app, offered, options.corsOrigins, doors.length > 0 ? DOOR_CORS : undefined);
  if (rates.addressHook !== undefined) app.addHook("onRequest", rates.addressHook);
  addPlainRoutes(app, { build, authority, backends, logger, isStopping: () => stopping });
  if (docs === "on") addDocs(app, routes, build);
  const { maxBodyBytes } = limits;
  const stations = { ...plain, routes, authenticator, authority, inFlight, charge: rates.charge, maxBodyBytes };
  const admit = createAdmission(stations);
  addDoors(app, { ...stations, doors, streams, logger });
  addRestRoutes(app, { onRequest: admit, handler: createHandler({ streams, authority }) }, options);
  await app.ready();

  const component: Component = {
    name: "edge",
    async start() {
      hide = showProtection({ inFlight, sockets, rates });
      await rates.start();
      await app.listen({ port: options.port, host: options.host, backlog: BACKLOG });
    },
    async stop() {
      stopping = true;
      streams.endAll();
      await drain(app, inFlight);
      await rates.stop();
      hide();
    },
    unready: () => (stopping ? "stopping" : undefined),
  };
  return { app, components: [component], port: () => (app.server.address() as AddressInfo).port };
}

function createApp({ limits, trustedProxies }: EdgeOptions, routes: EdgeRoutes, logger: Logger): FastifyInstance {
  const allowedOf = (path: string): string[] => {
    try {
      const found = routes.find("", path);
      return allowHeader(found !== undefined && "allowed" in found ? found.allowed : []);
    } catch {
      return []; // Badly encoded, so that it is no path at all.
    }
  };
  const app = fastify({
    bodyLimit: largestBody(routes, limits.maxBodyBytes),
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    http: {
      requireHostHeader: false, // Node's own answer to it has no envelope: it is looked at in the first hook.
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, limits.requestTimeoutMs),
      connectionsCheckingInterval: Math.min(CONNECTION_CHECK_MS, limits.requestTimeoutMs),
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, allowedOf),
    frameworkErrors: (error, request, reply) => sendFailure(reply, factsOf(request.raw), error, logger),
  });
  app.server.maxConnections = limits.maxConnections;
  // Expectations that nobody knows may be ignored (RFC 9110, 10.1.1); Node would answer 417 without the envelope.
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
  app.removeAllContentTypeParsers();
  // Bytes as they came: the contract decides what they mean, and the framework's JSON would coerce.
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  return app;
}

/** Only HTTP/1.0 knows requests without it (RFC 9112, 3.2). */
function missingHost({ httpVersion }: { httpVersion: string }): FerryError | undefined {
  return httpVersion === "1.1" ? new FerryError("INVALID_REQUEST", "the header Host is missing") : undefined;
}

/** The document, and the page over it. */
function addDocs(app: FastifyInstance, { plans }: EdgeRoutes, { version }: Build): void {
  addOpenApi(app, plans, version);
  addDocsPage(app);
}

/** One route takes all paths and methods: the contracts' templates are matched by our own trie. */
function addRestRoutes(
  app: FastifyInstance,
  hooks: { onRequest: ReturnType<typeof createAdmission>; handler: ReturnType<typeof createHandler> },
  { limits }: EdgeOptions,
): void {
  for (const method of METHODS)
    if (method !== "CONNECT" && !app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true });
  const method = app.supportedMethods.filter((name) => name !== "OPTIONS" && name !== "CONNECT");
  const preParsing = readBodies(limits.maxBodyBytes);
  app.route({ method, url: "/*", preParsing, ...hooks });
}

/** Ends in order: no new connections, what is in flight ends well or is told to come back, then all is closed. */
async function drain(app: FastifyInstance, inFlight: InFlight): Promise<void> {
  const abort = setTimeout(() => inFlight.abortAll(), DRAIN_MS);
  const cut = setTimeout(() => app.server.closeAllConnections(), DRAIN_CONNECTIONS_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(abort);
    clearTimeout(cut);
  }
}
