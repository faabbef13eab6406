import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ConnectError, createServiceImplSpec, type HandlerContext } from "@connectrpc/connect";
import { FerryError } from "@ferry/platform/errors";
import { silentLogger } from "@ferry/platform/telemetry";
import { fastify } from "fastify";
import { Abort } from "../../../edge/abort.ts";
import { LONGEST_MS } from "../../../edge/doors/deadline.ts";
import { contentTypes, createHandler, DOORS, type DoorMethod } from "../../../edge/doors/handlers.ts";
import { addDoorRoute } from "../../../edge/doors/route.ts";
import { typeCheck } from "../../../edge/doors/wire.ts";
import { sendFailure } from "../../../edge/failures.ts";
import { factsOf } from "../../../edge/request-facts.ts";
import {
  ConformanceService,
  type Failure,
  type RequestInfo,
  RequestInfoSchema,
  readMessages,
  registry,
  type ServerCompatRequest,
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
  writeMessage,
} from "./contract.ts";
import { implementationOf } from "./implementation.ts";

// The edge's doors under test. The suite's contract says nothing of who may call, so the admission lets everybody in;
// and it asks what came of headers that the edge would not hand on, so that its service answers where the edge would
// call one. From the socket to the message, and back, all is as in the edge.

const LARGEST_BODY_BYTES = 64 * 1_024 * 1_024;

function failed({ code, message, details }: Failure, _context: HandlerContext, info?: RequestInfo): ConnectError {
  const error = new ConnectError(message ?? "", code);
  const all = info === undefined ? details : [...details, anyPack(RequestInfoSchema, info)];
  error.details = all.map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value }));
  return error;
}

async function serve({ messageReceiveLimit }: ServerCompatRequest): Promise<void> {
  const app = fastify({ bodyLimit: LARGEST_BODY_BYTES, forceCloseConnections: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.decorateRequest("facts", null as never);
  app.addHook("onRequest", (request, _reply, done) => {
    request.facts = factsOf(request.raw);
    done();
  });
  app.setErrorHandler((error, request, reply) => sendFailure(reply, request.facts, error, silentLogger));
  const { methods } = createServiceImplSpec<typeof ConformanceService>(ConformanceService, implementationOf(failed));
  for (const { kind, method: rpc, impl: answer } of Object.values(methods)) {
    if (kind !== "unary" && kind !== "server_streaming") continue;
    const handler = createHandler(DOORS, { rpc, answer } as DoorMethod, {
      maxMessageBytes: messageReceiveLimit || LARGEST_BODY_BYTES,
      packs: true,
      jsonOptions: { registry },
    });
    const check = typeCheck(handler, contentTypes(DOORS, rpc));
    const admit: Parameters<typeof addDoorRoute>[1]["admit"] = (request, reply, done) => {
      const abort = new Abort();
      request.facts.abort = abort;
      reply.raw.once("close", () => abort.abort(new FerryError("CANCELED", "the client went away")));
      check(request);
      done();
    };
    addDoorRoute(app, { handler, capMs: LONGEST_MS, admit, logger: silentLogger });
  }
  await app.listen({ host: "127.0.0.1", port: 0 });
  process.once("SIGTERM", () => void app.close().then(() => process.exit()));
  const { port } = app.server.address() as AddressInfo;
  writeMessage(ServerCompatResponseSchema, create(ServerCompatResponseSchema, { host: "127.0.0.1", port }));
}

for await (const request of readMessages(ServerCompatRequestSchema)) await serve(request);
