import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Interceptor, MethodImplSpec, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import { create, decode, encode } from "@ferry/platform/codec";
import { FerryError } from "@ferry/platform/errors";
import { type CallFigures, servedFigures } from "../metrics.ts";
import { getPolicy, type Policy, pathOf } from "../policy.ts";
import { compileRules } from "../validation.ts";
import type { CallContext } from "./call-context.ts";

/** An rpc with all that is needed to answer a call, made once at start. */
export interface ServedMethod {
  spec: MethodImplSpec;
  path: string;
  policy: Policy;
  figures: CallFigures;
  streamsIn: boolean;
  streamsOut: boolean;
  /** @throws FerryError INVALID_REQUEST: not protobuf, or it breaks the rules of the contract. */
  decode(bytes: Uint8Array): Message;
  /** @throws FerryError RESOURCE_EXHAUSTED when the answer is larger than the limit. */
  encode(message: Message): Buffer;
  answerOne(request: Message, context: CallContext): Promise<Message>;
  answerMany(requests: AsyncIterable<Message>, context: CallContext): AsyncIterable<Message>;
}

type Answers = (requests: AsyncIterable<Message>, context: CallContext) => AsyncIterable<Message>;

/** Interceptors see connect's request; this key, which survives `{ ...request }`, leads back to the call's context. */
const CONTEXT = Symbol("call context");
type WithContext<T> = T & { [CONTEXT]: CallContext };

/**
 * @param interceptors Connect interceptors, the first is the outermost. They are composed here, once.
 * @throws Error when the contract has no policy for the rpc, or rules that do not compile.
 */
export function serveMethod(
  spec: MethodImplSpec,
  interceptors: readonly Interceptor[],
  maxMessageBytes: number,
): ServedMethod {
  const { method } = spec;
  const check = compileRules(method.input);
  return {
    spec,
    path: pathOf(method),
    policy: getPolicy(method),
    figures: servedFigures(pathOf(method)),
    streamsIn: spec.kind === "client_streaming" || spec.kind === "bidi_streaming",
    streamsOut: spec.kind === "server_streaming" || spec.kind === "bidi_streaming",
    decode(bytes) {
      const message = parse(method.input, bytes);
      check(message);
      return message;
    },
    encode(message) {
      const bytes = encode(method.output, message);
      if (bytes.length <= maxMessageBytes) return bytes;
      const text = `the answer of ${bytes.length} bytes is larger than ${maxMessageBytes}`;
      throw new FerryError("RESOURCE_EXHAUSTED", text);
    },
    answerOne: composeUnary(spec, interceptors),
    answerMany: composeStream(spec, interceptors),
  };
}

function parse(desc: DescMessage, bytes: Uint8Array): Message {
  try {
    return decode(desc, bytes);
  } catch (error) {
    throw new FerryError("INVALID_REQUEST", `the request is not a ${desc.typeName}`, { cause: error });
  }
}

function composeUnary(spec: MethodImplSpec, interceptors: readonly Interceptor[]): ServedMethod["answerOne"] {
  if (spec.kind !== "unary") return () => Promise.reject(new Error("not a unary rpc"));
  const { method, impl } = spec;
  const answer = async (request: Message, context: CallContext) => create(method.output, await impl(request, context));
  if (interceptors.length === 0) return answer;
  const next = interceptors.reduceRight<ReturnType<Interceptor>>(
    (inner, interceptor) => interceptor(inner),
    async (request) => {
      const { [CONTEXT]: context, message } = request as WithContext<UnaryRequest>;
      return { stream: false, ...answerHead(context), method, message: await answer(message, context) };
    },
  );
  return async (message, context) => {
    const request: WithContext<UnaryRequest> = { stream: false, method, message, ...requestHead(context) };
    const response = await next(request);
    if (response.stream) throw new Error(`an interceptor answered the unary rpc ${method.name} with a stream`);
    return response.message;
  };
}

function composeStream(spec: MethodImplSpec, interceptors: readonly Interceptor[]): Answers {
  if (spec.kind === "unary") return () => fail(new Error("a unary rpc"));
  const { method } = spec;
  const answers = implementation(spec);
  if (interceptors.length === 0) return answers;
  const next = interceptors.reduceRight<ReturnType<Interceptor>>(
    (inner, interceptor) => interceptor(inner),
    async (request) => {
      const { [CONTEXT]: context, message } = request as WithContext<StreamRequest>;
      return { stream: true, ...answerHead(context), method, message: answers(message, context) };
    },
  );
  return async function* (message, context) {
    const request: WithContext<StreamRequest> = { stream: true, method, message, ...requestHead(context) };
    const response = await next(request);
    if (!response.stream) throw new Error(`an interceptor answered the stream ${method.name} with one message`);
    yield* response.message;
  };
}

/** The handler of a streaming rpc in one form, whichever of the three kinds it is. */
function implementation(spec: Exclude<MethodImplSpec, { kind: "unary" }>): Answers {
  const { output } = spec.method;
  switch (spec.kind) {
    case "server_streaming":
      return async function* (requests, context) {
        for await (const request of requests)
          for await (const message of spec.impl(request, context)) yield create(output, message);
      };
    case "client_streaming":
      return async function* (requests, context) {
        yield create(output, await spec.impl(requests, context));
      };
    case "bidi_streaming":
      return async function* (requests, context) {
        for await (const message of spec.impl(requests, context)) yield create(output, message);
      };
    default:
      return spec satisfies never;
  }
}

function requestHead(context: CallContext) {
  return {
    service: context.service,
    requestMethod: context.requestMethod,
    url: context.url,
    signal: context.signal,
    header: context.requestHeader,
    contextValues: context.values,
    [CONTEXT]: context,
  };
}

function answerHead(context: CallContext) {
  return { service: context.service, header: context.responseHeader, trailer: context.responseTrailer };
}

function fail(error: Error): never {
  throw error;
}
