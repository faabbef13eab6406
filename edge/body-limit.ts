import { type Readable, Transform } from "node:stream";
import { createGunzip } from "node:zlib";
import { FerryError } from "@ferry/platform/errors";
import type { FastifyReply, FastifyRequest, preParsingHookHandler } from "fastify";
import type { EdgePlan, EdgeRoutes } from "./routes.ts";

/** The largest body of a route, in bytes: its contract may allow more than the edge does for all. */
export function bodyLimitOf({ maxBodyBytes }: Pick<EdgePlan, "maxBodyBytes">, limitBytes: number): number {
  return Math.max(maxBodyBytes, limitBytes);
}

/** The largest body of any route: as far as the framework itself may read. */
export function largestBody({ plans }: EdgeRoutes, limitBytes: number): number {
  return Math.max(limitBytes, ...plans.map(({ maxBodyBytes }) => maxBodyBytes));
}

export function bodyTooLarge(): FerryError {
  return new FerryError("BODY_TOO_LARGE", "the body is larger than allowed");
}

/** Whether a body comes with a request, by what its headers say. */
export function hasBody({ headers }: Pick<FastifyRequest, "headers">): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** Refuses a body by the length that it says, before any of it is read. @throws FerryError BODY_TOO_LARGE. */
export function checkContentLength(request: FastifyRequest, reply: FastifyReply, plan: EdgePlan, limitBytes: number) {
  if (Number(request.headers["content-length"] ?? 0) <= bodyLimitOf(plan, limitBytes)) return;
  reply.header("connection", "close"); // What the client still sends is no next request.
  throw bodyTooLarge();
}

/**
 * Counts what comes through, and ends it with BODY_TOO_LARGE where the limit is. Whoever reads it hears of an error;
 * one that nobody reads has one that nobody needs, which must not end the process.
 */
function counting(limit: number, reply: FastifyReply): Transform {
  let received = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      received += chunk.length;
      if (received <= limit) return next(null, chunk);
      reply.header("connection", "close");
      next(bodyTooLarge());
    },
  });
  return counted.on("error", () => {});
}

/** Counts a body that does not say its length while it comes, and ends it where its route's limit is. */
export function limitChunkedBodies(limitBytes: number): preParsingHookHandler {
  return (request, reply, payload, done) => {
    const { match } = request.facts;
    if (request.headers["transfer-encoding"] === undefined || match === undefined) {
      done();
      return;
    }
    const counted = counting(bodyLimitOf(match.plan, limitBytes), reply);
    payload.on("error", (error) => counted.destroy(error));
    done(null, payload.pipe(counted));
  };
}

/** As limitChunkedBodies, and unpacks a body that came as gzip: its limit is that of what it unpacks to. */
export function readBodies(limitBytes: number): preParsingHookHandler {
  const limitChunked = limitChunkedBodies(limitBytes);
  return function (request, reply, payload, done) {
    const { match } = request.facts;
    if (match === undefined || !isGzip(request) || !hasBody(request))
      return limitChunked.call(this, request, reply, payload, done);
    done(null, unpacked(payload, counting(bodyLimitOf(match.plan, limitBytes), reply)));
  };
}

/** Whether the content coding of a body is one that is unpacked here. */
export function isGzip({ headers }: Pick<FastifyRequest, "headers">): boolean {
  return headers["content-encoding"]?.toLowerCase() === "gzip";
}

function unpacked(payload: Readable, counted: Transform): Transform {
  const gunzip = createGunzip();
  payload.on("error", (error) => gunzip.destroy(error));
  gunzip.on("error", (error: NodeJS.ErrnoException) => {
    const isOfGzip = error.code?.startsWith("Z_") === true;
    counted.destroy(isOfGzip ? new FerryError("INVALID_REQUEST", "the body is not valid gzip") : error);
  });
  counted.on("close", () => {
    payload.unpipe(gunzip);
    gunzip.destroy();
  });
  // By its content-length the framework checks what was sent, not what it became.
  Object.defineProperty(counted, "receivedEncodedLength", { get: () => gunzip.bytesWritten });
  return payload.pipe(gunzip).pipe(counted);
}
