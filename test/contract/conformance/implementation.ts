import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  addHeaders,
  ConformanceService,
  type Failure,
  headersToProto,
  type RequestInfo,
  RequestInfoSchema,
  type StreamDefinition,
  type UnaryDefinition,
} from "./contract.ts";

/** Makes the error that a server throws so that the failure goes out. */
export type Failed = (failure: Failure, context: HandlerContext, info?: RequestInfo) => Error;

/** Waits as told; a call whose time is over, or whose caller went away, ends as such. */
async function pause(timeMs: number, { signal }: HandlerContext): Promise<void> {
  await sleep(timeMs, undefined, { signal }).catch(() => {
    throw signal.reason;
  });
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

async function answerOne(
  definition: UnaryDefinition | undefined,
  requests: Any[],
  context: HandlerContext,
  failed: Failed,
) {
  const requestInfo = infoOf(context, requests);
  if (definition === undefined) return { payload: { requestInfo } };
  begin(definition, context);
  await pause(definition.responseDelayMs, context);
  const { response } = definition;
  if (response.case === "error") throw failed(response.value, context, requestInfo);
  return { payload: { requestInfo, data: response.case === "responseData" ? response.value : undefined } };
}

const { unary, idempotentUnary, clientStream, serverStream, bidiStream } = ConformanceService.method;

/** What the suite asks of a service: it answers as its request says. Failures are thrown as the engine wants them. */
export const implementationOf = (failed: Failed): ServiceImpl<typeof ConformanceService> => ({
  unary: (request, context) => answerOne(request.responseDefinition, [anyPack(unary.input, request)], context, failed),
  idempotentUnary: (request, context) =>
    answerOne(request.responseDefinition, [anyPack(idempotentUnary.input, request)], context, failed),
  async clientStream(requests, context) {
    let definition: UnaryDefinition | undefined;
    const received: Any[] = [];
    for await (const request of requests) {
      if (received.length === 0) definition = request.responseDefinition;
      received.push(anyPack(clientStream.input, request));
    }
    return answerOne(definition, received, context, failed);
  },
  async *serverStream(request, context) {
    const definition = request.responseDefinition;
    let requestInfo: RequestInfo | undefined = infoOf(context, [anyPack(serverStream.input, request)]);
    if (definition === undefined) return;
    begin(definition, context);
    for (const data of definition.responseData) {
      await pause(definition.responseDelayMs, context);
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
      await pause(definition.responseDelayMs, context);
      const info = sent++ === 0 ? infoOf(context, received) : create(RequestInfoSchema, { requests: received });
      yield { payload: { data, requestInfo: info } };
      received = [];
    }
    for (const data of definition?.responseData.slice(sent) ?? []) {
      await pause(definition?.responseDelayMs ?? 0, context);
      yield { payload: { data, requestInfo: sent++ === 0 ? infoOf(context, received) : undefined } };
    }
    if (definition?.error !== undefined)
      throw failed(definition.error, context, sent === 0 ? infoOf(context, received) : undefined);
  },
});
