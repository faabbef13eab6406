import type {
  DescMethodStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { type CallOptions, type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import type { ServiceIdentity } from "@ferry/platform/auth";
import type { Logger } from "@ferry/platform/telemetry";
import { type BreakerOptions, createUpstream, type UpstreamStatus } from "@ferry/platform/upstream";
import { headersOf, type MessageInit } from "../metadata.ts";
import { PeerFailed } from "../status.ts";
import { clientSecurity, type TlsOptions } from "../tls.ts";
import { Caller, type CallSettings } from "./caller.ts";
import { cancelable } from "./cancelable.ts";
import type { Keepalive } from "./peer.ts";
import { Sessions } from "./sessions.ts";
import { createTransport } from "./transport.ts";

export interface ChannelOptions {
  /** Where the service is: "http://host:port", "https://host:port" or "host:port". A name with several addresses is balanced over all. */
  url: string;
  /** Name of the called service, as "ledger". */
  audience: string;
  /** The calling service, whose assertion goes with each call that has no authorization of its own. */
  identity?: ServiceIdentity;
  logger: Logger;
  /** Time for a connection, whatever the deadline of a call, in milliseconds. Default 1,000. */
  connectTimeoutMs?: number;
  /** A connection that does not come about is begun anew after this time, in milliseconds. Default 10,000. */
  renewAfterMs?: number;
  /** How often a connection is looked at, and how long its peer may take to answer. Default every 30 s, 10 s. */
  keepalive?: Keepalive;
  /** Largest message in either direction, in bytes. Default 4 MiB. */
  maxMessageBytes?: number;
  /** TLS with these; "https" alone is TLS with the machine's authorities. */
  tls?: TlsOptions;
  /** Unary calls under way at once; one more is refused with OVERLOADED. Default 2,000. */
  maxInFlight?: number;
  /** When the channel stops calling a peer that fails, and how it finds out that it is well again. */
  breaker?: BreakerOptions;
  /** Connect interceptors, the first outermost. Retries happen inside of them. */
  interceptors?: readonly Interceptor[];
}

export interface RpcChannel {
  readonly audience: string;
  /** For connect's own functions. Its calls keep all rules of the channel. */
  readonly transport: Transport;
  /** Its breaker and its room, for whoever watches. */
  upstream(): UpstreamStatus;
  /** Why calls would fail now; undefined when they can be sent, or nobody has tried yet. */
  unready(): string | undefined;
  /** Whether as many calls are under way as may be, so that one more would be refused. */
  isFull(): boolean;
  /** Calls in flight end well; new ones are refused. */
  close(): void;
}

const callers = new WeakMap<RpcChannel, Caller>();

/** A channel to a service. It connects at the first call, and again by itself. */
export function openChannel(options: ChannelOptions): RpcChannel {
  const { audience, identity, logger, connectTimeoutMs = 1_000, renewAfterMs = 10_000, keepalive } = options;
  const maxMessageBytes = options.maxMessageBytes ?? 4 * 1_024 * 1_024;
  const url = parseUrl(options.url);
  const tls = clientSecurity(options.tls ?? (url.protocol === "https:" ? {} : undefined), url.hostname);
  const sessions = new Sessions({ url, audience, tls, connectTimeoutMs, renewAfterMs, keepalive, logger });
  const upstream = createUpstream({
    name: audience,
    isIllError: (error) => error instanceof PeerFailed,
    maxInFlight: options.maxInFlight,
    breaker: options.breaker,
    logger,
  });
  const caller = new Caller({ sessions, upstream, audience, identity, maxMessageBytes });
  const channel: RpcChannel = {
    audience,
    transport: createTransport(caller, options.interceptors ?? []),
    upstream: () => upstream.status(),
    unready: () => sessions.unready(),
    isFull: upstream.isFull,
    close() {
      sessions.close();
      upstream.close();
    },
  };
  callers.set(channel, caller);
  return channel;
}

/** A typed client. Calls reject with FerryError only; leaving a stream early, by break or return, cancels it. */
export function createRpcClient<S extends DescService>(service: S, channel: RpcChannel): Client<S> {
  const client = createClient(service, channel.transport);
  const functions = client as Record<string, unknown>;
  for (const method of service.methods)
    if (method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming")
      functions[method.localName] = (input: never, options?: CallOptions) =>
        cancelable(channel.transport, method as DescMethodStreaming, input, options);
  return client;
}

export interface UnaryAnswer<M = Message> {
  message: M;
  headers: Headers;
  trailers: Headers;
}

export type UnaryCallOptions = CallSettings;

/**
 * Calls a unary rpc that is known by its descriptor only, by the same rules as a typed client; interceptors
 * of the channel aside.
 */
export async function callUnary<M extends DescMethodUnary>(
  channel: RpcChannel,
  method: M,
  message: MessageInitShape<M["input"]>,
  options: UnaryCallOptions = {},
): Promise<UnaryAnswer<MessageShape<M["output"]>>> {
  const caller = callers.get(channel);
  if (caller === undefined) throw new Error("not a channel of openChannel");
  const incoming = await caller.unary(method, message as MessageInit, options);
  return {
    message: incoming.message as MessageShape<M["output"]>,
    headers: headersOf(incoming.header),
    trailers: headersOf(incoming.trailer),
  };
}

function parseUrl(text: string): URL {
  const url = new URL(text.includes("://") ? text : `http://${text}`);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new Error(`${text}: a channel needs http or https`);
  return url;
}
