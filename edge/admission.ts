import type { Authenticator, AuthorityState } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from "fastify";
import { authorize } from "./access.ts";
import { checkContentLength, hasBody, isGzip } from "./body-limit.ts";
import { conditionalChange, methodNotAllowed, unsupportedEncoding, unsupportedMediaType } from "./failures.ts";
import { idempotencyKey } from "./idempotency-key.ts";
import type { InFlight } from "./in-flight.ts";
import type { ChargeRate } from "./rate-limits.ts";
import { readerFor } from "./raw-bodies.ts";
import { headerValues } from "./request-headers.ts";
import type { EdgeMatch, EdgePlan, EdgeRoutes } from "./routes.ts";
import { allowHeader, splitTarget } from "./target.ts";

export interface AdmissionOptions {
  routes: EdgeRoutes;
  /** Paths that are served beside the routes, each by GET. */
  plainPaths: ReadonlySet<string>;
  authenticator: Authenticator;
  authority: AuthorityState;
  inFlight: InFlight;
  charge: ChargeRate;
  /** The largest body where the contract says nothing, in bytes. */
  maxBodyBytes: number;
  /** What a body's headers must be; as REST wants them by default. */
  checkBody?: (request: FastifyRequest, plan: EdgePlan) => void;
}

/**
 * All that happens before a body is read: what is refused here costs no more than its headers.
 * @throws FerryError.
 */
export function createAdmission(options: AdmissionOptions): onRequestHookHandler {
  const { authenticator, authority, inFlight, charge, maxBodyBytes, checkBody = checkBodyHeaders } = options;

  function admit(request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined {
    const { facts } = request;
    facts.abort = inFlight.enter(reply.raw);
    const match = findRoute(options, request);
    if (match instanceof FerryError) {
      if ("allow" in match) reply.header("allow", match.allow);
      return after(charge(request, reply, "read"), () => fail(match));
    }
    facts.match = match;
    const { plan } = match;
    // It would be refused in any case, and after all the rest of the work.
    if (plan.backend.isFull?.()) inFlight.shedCrowded();
    if (plan.deprecation !== undefined) reply.headers(plan.deprecation.headers);
    const isPublic = plan.policy.auth === "public";
    if (!isPublic) {
      const reason = authority.unready();
      if (reason !== undefined) throw new FerryError("UNAVAILABLE", "tokens cannot be verified yet", { cause: reason });
      try {
        facts.principal = authenticator.authenticate(request.headers.authorization);
      } catch (error) {
        return after(charge(request, reply, "read"), () => fail(error));
      }
    }
    return after(charge(request, reply, plan.rateClass), () => {
      if (facts.principal !== undefined) authorize(plan.policy, facts.principal, authenticator);
      checkBody(request, plan);
      checkContentLength(request, reply, plan, maxBodyBytes);
      if (plan.policy.keyRequired)
        facts.idempotencyKey = idempotencyKey(headerValues(request.raw.rawHeaders, "idempotency-key"));
    });
  }

  // With a callback: nearly always nobody waits for anything, and a promise would be the greater part of the cost.
  return (request, reply, done) => {
    let admitted: Promise<void> | undefined;
    try {
      admitted = admit(request, reply);
    } catch (error) {
      done(error as FerryError);
      return;
    }
    if (admitted === undefined) done();
    else admitted.then(() => done(), done);
  };
}

/** Goes on at once where there is nothing to wait for. */
function after(waited: Promise<void> | undefined, next: () => void): Promise<void> | undefined {
  if (waited !== undefined) return waited.then(next);
  next();
  return undefined;
}

function fail(error: unknown): never {
  throw error;
}

function findRoute(
  { routes, plainPaths }: Pick<AdmissionOptions, "routes" | "plainPaths">,
  { raw }: FastifyRequest,
): EdgeMatch | (FerryError & { allow?: string }) {
  const { path } = splitTarget(raw.url ?? "");
  const found = routes.find(raw.method ?? "", path);
  if (found !== undefined && "plan" in found) return found;
  const allow = allowHeader(found?.allowed ?? (plainPaths.has(path) ? ["GET"] : []));
  if (allow.length === 0) return new FerryError("ROUTE_NOT_FOUND", "there is no such route");
  return Object.assign(methodNotAllowed(allow), { allow: allow.join(", ") });
}

/** What a body's headers say must fit before any of it is read. */
function checkBodyHeaders(request: FastifyRequest, plan: EdgePlan): void {
  const { headers } = request;
  const comes = hasBody(request);
  if (comes && !plan.route.takesBody) throw new FerryError("INVALID_REQUEST", "this route takes no body");
  if (comes && readerFor(plan, headers["content-type"]) === undefined)
    throw unsupportedMediaType([...plan.rawBodies.keys()]);
  const encoding = headers["content-encoding"] ?? "identity";
  if (comes && encoding.toLowerCase() !== "identity" && !isGzip(request)) throw unsupportedEncoding();
  if (headers["if-match"] !== undefined && plan.route.httpMethod !== "GET") throw conditionalChange();
}
