import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  type DescService,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  createContextValues,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type Transport,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { headersOf, type MessageInit } from "../metadata.ts";
import { pathOf } from "../policy.ts";
import { toFerryError } from "../status.ts";
import type { Caller } from "./caller.ts";
import type { Incoming } from "./unary.ts";

/** Time-out of the call, on the request that interceptors see; survives `{ ...request }`. */
const TIMEOUT = Symbol("timeout");
type WithTimeout<T> = T & { [TIMEOUT]?: number };

const NEVER = new AbortController().signal;

/** A Connect transport on a channel. Interceptors are composed once; without any, calls do without what only they could see. */
export function createTransport(caller: Caller, interceptors: readonly Interceptor[]): Transport {
  const next = interceptors.reduceRight<ReturnType<Interceptor>>(
    (inner, interceptor) => interceptor(inner),
    async (request) => (request.stream ? sendStream(caller, request) : sendOne(caller, request)),
  );
  const send = interceptors.length === 0 ? undefined : next;

  return {
    unary<I extends DescMessage, O extends DescMessage>(...args: Parameters<Transport["unary"]>) {
      const [desc, signal, timeoutMs, headers, message] = args;
      const answer =
        send === undefined
          ? caller.unary(desc, message, { headers, timeoutMs, signal }).then((incoming) => new Answer(desc, incoming))
          : intercepted(send, args);
      return answer as Promise<UnaryResponse<DescMessage, DescMessage>> as Promise<UnaryResponse<I, O>>;
    },
    async stream<I extends DescMessage, O extends DescMessage>(...args: Parameters<Transport["stream"]>) {
      const [desc, signal, timeoutMs, headers, input, contextValues] = args;
      if (send === undefined) {
        const incoming = await caller.stream(desc, input, { headers, timeoutMs, signal });
        return { stream: true, service: desc.parent, method: desc, ...incoming } as StreamResponse<I, O>;
      }
      const request: WithTimeout<StreamRequest> = {
        ...requestHead(desc, signal, headers, contextValues),
        ...{ stream: true, method: desc, message: created(desc, input), [TIMEOUT]: timeoutMs },
      };
      return (await guarded(send(request))) as StreamResponse<I, O>;
    },
  };
}

type Head = Parameters<Transport["unary"]>;

async function intercepted(send: ReturnType<Interceptor>, args: Head): Promise<UnaryResponse> {
  const [desc, signal, timeoutMs, headers, message, contextValues] = args;
  const request: WithTimeout<UnaryRequest> = {
    ...requestHead(desc, signal, headers, contextValues),
    ...{ stream: false, method: desc, message: create(desc.input, message), [TIMEOUT]: timeoutMs },
  };
  return (await guarded(send(request))) as UnaryResponse;
}

function requestHead(desc: DescMethodUnary | DescMethodStreaming, signal: Head[1], headers: Head[3], values: Head[5]) {
  return {
    service: desc.parent,
    requestMethod: "POST",
    url: `http://grpc${pathOf(desc)}`,
    header: new Headers(headers),
    contextValues: values ?? createContextValues(),
    signal: signal ?? NEVER,
  };
}

async function* created(desc: DescMethodStreaming, input: AsyncIterable<MessageInit>) {
  for await (const message of input) yield create(desc.input, message);
}

async function sendOne(caller: Caller, request: UnaryRequest): Promise<UnaryResponse> {
  const { method, message, header: headers, signal } = request;
  const timeoutMs = (request as WithTimeout<UnaryRequest>)[TIMEOUT];
  return new Answer(method, await caller.unary(method, message, { headers, timeoutMs, signal }));
}

async function sendStream(caller: Caller, request: StreamRequest): Promise<StreamResponse> {
  const { method, message, header: headers, signal } = request;
  const timeoutMs = (request as WithTimeout<StreamRequest>)[TIMEOUT];
  const incoming = await caller.stream(method, message, { headers, timeoutMs, signal });
  return { stream: true, service: method.parent, method, ...incoming };
}

/** Its headers are made when somebody asks for them. */
class Answer implements UnaryResponse {
  readonly stream = false;
  readonly service: DescService;
  readonly method: DescMethodUnary;
  readonly message: MessageShape<DescMessage>;
  private readonly incoming: Incoming;

  constructor(method: DescMethodUnary, incoming: Incoming) {
    this.service = method.parent;
    this.method = method;
    this.message = incoming.message;
    this.incoming = incoming;
  }

  get header(): Headers {
    return headersOf(this.incoming.header);
  }

  get trailer(): Headers {
    return headersOf(this.incoming.trailer);
  }
}

/** Interceptors may throw whatever they like; callers get FerryError. */
async function guarded<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw toFerryError(error);
  }
}
