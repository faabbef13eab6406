import { Transform } from "node:stream";
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

/** Refuses a body by the length that it says, before any of it is read. @throws FerryError BODY_TOO_LARGE. */
export function checkContentLength(request: FastifyRequest, reply: FastifyReply, plan: EdgePlan, limitBytes: number) {
  if (Number(request.headers["content-length"] ?? 0) <= bodyLimitOf(plan, limitBytes)) return;
  reply.header("connection", "close"); // What the client still sends is no next request.
  throw bodyTooLarge();
}

/** Counts a body that does not say its length while it comes, and ends it where its route's limit is. */
export function limitChunkedBodies(limitBytes: number): preParsingHookHandler {
  return (request, reply, payload, done) => {
    const { match } = request.facts;
    if (request.headers["transfer-encoding"] === undefined || match === undefined) {
      done();
      return;
    }
    const limit = bodyLimitOf(match.plan, limitBytes);
    let received = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        received += chunk.length;
        if (received <= limit) return next(null, chunk);
        reply.header("connection", "close");
        next(bodyTooLarge());
      },
    });
    payload.on("error", (error) => counted.destroy(error));
    done(null, payload.pipe(counted));
  };
}
