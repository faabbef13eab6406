import type { Message } from "@bufbuild/protobuf";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { type Logger, runInContext } from "@ferry/platform/telemetry";
import type { FastifyInstance, FastifyRequest, onRequestHookHandler, preParsingHookHandler } from "fastify";
import { sendFailure } from "../failures.ts";
import { refusal } from "./forward.ts";
import { answer, refuse, speaks } from "./wire.ts";

export interface DoorRoute {
  handler: UniversalHandler;
  /** The longest that a caller may ask for, in milliseconds. */
  capMs: number;
  /** All that happens before the body is read. */
  admit: onRequestHookHandler;
  preParsing?: preParsingHookHandler;
  /** Reads the request's message; undefined where the library may say what is wrong. @throws BadField. */
  read?: (request: FastifyRequest) => Promise<Message | undefined>;
  logger: Logger;
}

/** Puts an rpc at its path. What is refused is answered in the request's own protocol, or in the envelope where it has none. */
export function addDoorRoute(app: FastifyInstance, route: DoorRoute): void {
  const { handler, capMs, admit, preParsing, read, logger } = route;
  app.route({
    method: app.supportedMethods.filter((name) => name !== "CONNECT" && name !== "OPTIONS"),
    url: handler.requestPath,
    onRequest: admit,
    ...(preParsing === undefined ? {} : { preParsing }),
    handler: async (request, reply) => {
      const { requestId, traceparent } = request.facts;
      const message = await read?.(request);
      return runInContext({ requestId, traceparent }, () => answer(handler, { request, reply, message }, capMs));
    },
    errorHandler: (error, request, reply) => {
      if (request.method !== "POST" || !speaks(handler, request))
        return sendFailure(reply, request.facts, error, logger);
      return refuse(handler, { request, reply }, refusal(error, request, logger));
    },
  });
}
