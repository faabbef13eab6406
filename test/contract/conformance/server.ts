import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { createServiceImplSpec, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { StatusSchema } from "@ferry/gen/google/rpc/status_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import { silentLogger } from "@ferry/platform/telemetry";
import { createEngine } from "../../../platform/rpc/server/engine.ts";
import { IncomingCall } from "../../../platform/rpc/server/incoming-call.ts";
import { DEFAULT_LIMITS } from "../../../platform/rpc/server/limits.ts";
import { serveMethod } from "../../../platform/rpc/server/method.ts";
import {
  addHeaders,
  ConformanceService,
  type Failure,
  headersToProto,
  type RequestInfo,
  RequestInfoSchema,
  readMessages,
  type ServerCompatRequest,
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
  type StreamDefinition,
  type UnaryDefinition,
  writeMessage,
} from "./contract.ts";

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

function infoOf(context: HandlerContext, requests: Any[]): RequestInfo {
  const remainingMs = context.timeoutMs();
  const timeoutMs = remainingMs === undefined ? undefined : BigInt(Math.floor(remainingMs));
  return create(RequestInfoSchema, { requestHeaders: headersToProto(context.requestHeader), timeoutMs, requests });
}

function begin(definition: UnaryDefinition | StreamDefinition, context: HandlerContext): void {
  addHeaders(definition.responseHeaders, context.responseHeader);
  addHeaders(definition.responseTrailers, context.responseTrailer);
}

async function answerOne(definition: UnaryDefinition | undefined, requests: Any[], context: HandlerContext) {
  const requestInfo = infoOf(context, requests);
  if (definition === undefined) return { payload: { requestInfo } };
  begin(definition, context);
  await sleep(definition.responseDelayMs);
  const { response } = definition;
  if (response.case === "error") throw failed(response.value, context, requestInfo);
  return { payload: { requestInfo, data: response.case === "responseData" ? response.value : undefined } };
}

const { unary, idempotentUnary, clientStream, serverStream, bidiStream } = ConformanceService.method;

const implementation: ServiceImpl<typeof ConformanceService> = {
  unary: (request, context) => answerOne(request.responseDefinition, [anyPack(unary.input, request)], context),
  idempotentUnary: (request, context) =>
    answerOne(request.responseDefinition, [anyPack(idempotentUnary.input, request)], context),
  async clientStream(requests, context) {
    let definition: UnaryDefinition | undefined;
    const received: Any[] = [];
    for await (const request of requests) {
      if (received.length === 0) definition = request.responseDefinition;
      received.push(anyPack(clientStream.input, request));
    }
    return answerOne(definition, received, context);
  },
  async *serverStream(request, context) {
    const definition = request.responseDefinition;
    let requestInfo: RequestInfo | undefined = infoOf(context, [anyPack(serverStream.input, request)]);
    if (definition === undefined) return;
    begin(definition, context);
    for (const data of definition.responseData) {
      await sleep(definition.responseDelayMs);
      yield { payload: { data, requestInfo } };
      requestInfo = undefined;
    }
    if (definition.error !== undefined) throw failed(definition.error, context, requestInfo);
  },
  async *bidiStream(requests, context) {
    let definition: StreamDefinition | undefined;
    let fullDuplex = false;
    let received: Any[] = [];
    let sent = 0;
    let isFirst = true;
    for await (const request of requests) {
      received.push(anyPack(bidiStream.input, request));
      if (isFirst) {
        ({ responseDefinition: definition, fullDuplex } = request);
        if (definition !== undefined) begin(definition, context);
        isFirst = false;
      }
      if (!fullDuplex) continue;
      const data = definition?.responseData[sent];
      if (definition === undefined || data === undefined) break;
      await sleep(definition.responseDelayMs);
      const info = sent++ === 0 ? infoOf(context, received) : create(RequestInfoSchema, { requests: received });
      yield { payload: { data, requestInfo: info } };
      received = [];
    }
    for (const data of definition?.responseData.slice(sent) ?? []) {
      await sleep(definition?.responseDelayMs);
      yield { payload: { data, requestInfo: sent++ === 0 ? infoOf(context, received) : undefined } };
    }
    if (definition?.error !== undefined)
      throw failed(definition.error, context, sent === 0 ? infoOf(context, received) : undefined);
  },
};

/** The limit is for requests alone: answers repeat them, and are larger. */
const LARGEST_ANSWER_BYTES = 64 * 1_024 * 1_024;

async function serve({ useTls, serverCreds, clientTlsCert, messageReceiveLimit }: ServerCompatRequest) {
  const authenticator = { authenticate: () => refuse(), isSuspended: () => false };
  const maxMessageBytes = messageReceiveLimit || DEFAULT_LIMITS.maxMessageBytes;
  const limits = { ...DEFAULT_LIMITS, maxMessageBytes };
  const { methods } = createServiceImplSpec<typeof ConformanceService>(ConformanceService, implementation);
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
