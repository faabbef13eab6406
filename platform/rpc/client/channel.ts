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
import { type MessageInit, toHeaders } from "../metadata.ts";
import { channelSecurity, type TlsOptions } from "../tls.ts";
import { Caller, type CallSettings } from "./caller.ts";
import { cancelable } from "./cancelable.ts";
import { Connection } from "./connection.ts";
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
  /** Largest message in either direction, in bytes. Default 4 MiB. */
  maxMessageBytes?: number;
  /** TLS with these; "https" alone is TLS with the machine's authorities. */
  tls?: TlsOptions;
  /** Connect interceptors, the first outermost. Retries happen inside of them. */
  interceptors?: readonly Interceptor[];
}

export interface RpcChannel {
  readonly audience: string;
  /** For connect's own functions. Its calls keep all rules of the channel. */
  readonly transport: Transport;
  /** Why calls would fail now; undefined when they can be sent, or nobody has tried yet. */
  unready(): string | undefined;
  /** Calls in flight end well; new ones are refused. */
  close(): void;
}

const callers = new WeakMap<RpcChannel, Caller>();

/** A channel to a service. It connects at the first call, and again by itself. */
export function openChannel(options: ChannelOptions): RpcChannel {
  const { audience, identity, logger, connectTimeoutMs = 1_000, renewAfterMs = 10_000 } = options;
  const maxMessageBytes = options.maxMessageBytes ?? 4 * 1_024 * 1_024;
  const { target, host, secure } = parseUrl(options.url);
  const security = channelSecurity(options.tls ?? (secure ? {} : undefined), host);
  const connection = new Connection({
    target,
    audience,
    logger,
    connectTimeoutMs,
    renewAfterMs,
    credentials: security.credentials,
    engine: { ...engineOptions(maxMessageBytes), ...security.options },
  });
  const caller = new Caller({ connection, audience, identity, maxMessageBytes });
  const channel: RpcChannel = {
    audience,
    transport: createTransport(caller, options.interceptors ?? []),
    unready: () => connection.unready(),
    close: () => connection.close(),
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
    headers: toHeaders(incoming.header),
    trailers: toHeaders(incoming.trailer),
  };
}

function parseUrl(url: string): { target: string; host: string; secure: boolean } {
  const { protocol, hostname, port } = new URL(url.includes("://") ? url : `http://${url}`);
  if (protocol !== "http:" && protocol !== "https:") throw new Error(`${url}: a channel needs http or https`);
  const secure = protocol === "https:";
  return { host: hostname, target: `dns:${hostname}:${port || (secure ? 443 : 80)}`, secure };
}

function engineOptions(maxMessageBytes: number) {
  return {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 3_000,
    "grpc.dns_min_time_between_resolutions_ms": 5_000,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
    "grpc.enable_channelz": 0,
    "grpc.service_config_disable_resolution": 1,
    "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  };
}
