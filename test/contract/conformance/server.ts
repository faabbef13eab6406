import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { createServiceImplSpec, type HandlerContext } from "@connectrpc/connect";
import { StatusSchema } from "@ferry/gen/google/rpc/status_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import { silentLogger } from "@ferry/platform/telemetry";
import { createEngine } from "../../../platform/rpc/server/engine.ts";
import { IncomingCall } from "../../../platform/rpc/server/incoming-call.ts";
import { DEFAULT_LIMITS } from "../../../platform/rpc/server/limits.ts";
import { serveMethod } from "../../../platform/rpc/server/method.ts";
import {
  ConformanceService,
  type Failure,
  type RequestInfo,
  RequestInfoSchema,
  readMessages,
  type ServerCompatRequest,
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
  writeMessage,
} from "./contract.ts";
import { implementationOf } from "./implementation.ts";

// The server under test: one process for each combination of properties that the suite asks for.

/** Handlers speak in reasons of the catalogue; the suite asks for any status. This trailer takes one past the catalogue. */
const STATUS = "x-status-bin";
const fail = IncomingCall.prototype.fail;
IncomingCall.prototype.fail = function (status, trailers) {
  const at = trailers.indexOf(STATUS);
  // The suite wants no details but its own.
  if (at < 0) return fail.call(this, { code: status.code, details: status.details }, trailers);
  const packed = Buffer.from(trailers[at + 1] ?? "", "base64");
  const { code, message } = fromBinary(StatusSchema, packed);
  fail.call(this, { code, details: message, packed }, trailers.toSpliced(at, 2));
};

function failed({ code, message, details }: Failure, context: HandlerContext, info?: RequestInfo): FerryError {
  const all = info === undefined ? details : [...details, anyPack(RequestInfoSchema, info)];
  const status = create(StatusSchema, { code, message, details: all });
  context.responseTrailer.set(STATUS, Buffer.from(toBinary(StatusSchema, status)).toString("base64"));
  return new FerryError("INTERNAL", "as the suite asks");
}

/** The limit is for requests alone: answers repeat them, and are larger. */
const LARGEST_ANSWER_BYTES = 64 * 1_024 * 1_024;

async function serve({ useTls, serverCreds, clientTlsCert, messageReceiveLimit }: ServerCompatRequest) {
  const authenticator = { authenticate: () => refuse(), isSuspended: () => false };
  const maxMessageBytes = messageReceiveLimit || DEFAULT_LIMITS.maxMessageBytes;
  const limits = { ...DEFAULT_LIMITS, maxMessageBytes };
  const { methods } = createServiceImplSpec<typeof ConformanceService>(ConformanceService, implementationOf(failed));
  const served = Object.values(methods)
    .map((spec) => serveMethod(spec, [], LARGEST_ANSWER_BYTES))
    // The suite wants to see no deadline but the caller's.
    .map((method) => ({ ...method, policy: { ...method.policy, deadlineMs: 0 } }));
  const engine = createEngine(served, { authenticator, logger: silentLogger, limits, inFlight: 0, endless: new Set() });
  const text = (pem: Uint8Array | undefined) => Buffer.from(pem ?? []).toString();
  const tls = { certPem: text(serverCreds?.cert), keyPem: text(serverCreds?.key), caPem: text(clientTlsCert) };
  const port = await engine.listen("127.0.0.1", 0, useTls ? tls : undefined);
  process.once("SIGTERM", () => void engine.drain(0).then(() => process.exit()));
  const pemCert = useTls ? serverCreds?.cert : undefined;
  writeMessage(ServerCompatResponseSchema, create(ServerCompatResponseSchema, { host: "127.0.0.1", port, pemCert }));
}

function refuse(): never {
  throw new FerryError("UNAUTHENTICATED", "no rpc of the suite asks who calls");
}

for await (const request of readMessages(ServerCompatRequestSchema)) await serve(request);
