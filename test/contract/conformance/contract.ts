import { readFileSync } from "node:fs";
import { create, createFileRegistry, fromBinary, type Message, setExtension, toBinary } from "@bufbuild/protobuf";
import type { GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import { type Any, FileDescriptorSetSchema, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { Auth, MethodPolicySchema, method as policyOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";

// The contract of the conformance suite, as far as it is used here. It comes from the suite itself when it
// is run (the first argument names its descriptors), so that it needs no generated code.

type Named<N extends string, Fields> = Message<`connectrpc.conformance.v1.${N}`> & Fields;
type OneOf<Cases> =
  | { [K in keyof Cases]: { case: K; value: Cases[K] } }[keyof Cases]
  | { case: undefined; value?: undefined };

export type Header = Named<"Header", { name: string; value: string[] }>;
export type Failure = Named<"Error", { code: number; message?: string; details: Any[] }>;
export type RequestInfo = Named<
  "ConformancePayload.RequestInfo",
  { requestHeaders: Header[]; timeoutMs?: bigint; requests: Any[] }
>;
export type Payload = Named<"ConformancePayload", { data: Uint8Array; requestInfo?: RequestInfo }>;

/** What the server is asked to answer. */
interface Definition {
  responseHeaders: Header[];
  responseTrailers: Header[];
  responseDelayMs: number;
}
export type UnaryDefinition = Named<
  "UnaryResponseDefinition",
  Definition & { response: OneOf<{ responseData: Uint8Array; error: Failure }> }
>;
export type StreamDefinition = Named<
  "StreamResponseDefinition",
  Definition & { responseData: Uint8Array[]; error?: Failure }
>;

type Request<N extends string, D> = Named<N, { responseDefinition?: D }>;
type Answer<N extends string> = GenMessage<Named<N, { payload?: Payload }>>;
export type BidiStreamRequest = Named<
  "BidiStreamRequest",
  { responseDefinition?: StreamDefinition; fullDuplex: boolean }
>;

export interface Tls {
  cert: Uint8Array;
  key: Uint8Array;
}
export type ServerCompatRequest = Named<
  "ServerCompatRequest",
  { useTls: boolean; clientTlsCert: Uint8Array; messageReceiveLimit: number; serverCreds?: Tls }
>;
export type ClientCompatRequest = Named<
  "ClientCompatRequest",
  {
    testName: string;
    compression: number;
    host: string;
    port: number;
    serverTlsCert: Uint8Array;
    clientTlsCreds?: Tls;
    messageReceiveLimit: number;
    method?: string;
    streamType: number;
    requestHeaders: Header[];
    requestMessages: Any[];
    timeoutMs?: number;
    requestDelayMs: number;
    cancel?: {
      cancelTiming: OneOf<{ beforeCloseSend: object; afterCloseSendMs: number; afterNumResponses: number }>;
    };
  }
>;
export type Result = Named<
  "ClientResponseResult",
  { responseHeaders: Header[]; payloads: Payload[]; error?: Failure; responseTrailers: Header[] }
>;

/** Values of enums. */
export const GZIP = 2;
export const CLIENT_STREAM = 2;
export const FULL_DUPLEX = 5;

/** All messages of the suite: JSON needs them for what is packed in Any. */
export const registry = load(process.argv[2] ?? "");

/** Descriptors, with a policy for each rpc: the platform serves none without. */
function load(path: string) {
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(path));
  const policy = create(MethodPolicySchema, { auth: Auth.PUBLIC, deadlineMs: 1_000 });
  for (const method of set.file.flatMap(({ service }) => service).flatMap(({ method }) => method)) {
    method.options ??= create(MethodOptionsSchema);
    setExtension(method.options, policyOption, policy);
  }
  return createFileRegistry(set);
}

function message<T extends Message>(name: string): GenMessage<T> {
  const desc = registry.getMessage(`connectrpc.conformance.v1.${name}`);
  if (desc === undefined) throw new Error(`the suite has no message ${name}`);
  return desc as GenMessage<T>;
}

export const RequestInfoSchema = message<RequestInfo>("ConformancePayload.RequestInfo");
export const PayloadSchema = message<Payload>("ConformancePayload");
export const ServerCompatRequestSchema = message<ServerCompatRequest>("ServerCompatRequest");
export const ServerCompatResponseSchema =
  message<Named<"ServerCompatResponse", { host: string; port: number; pemCert: Uint8Array }>>("ServerCompatResponse");
export const ClientCompatRequestSchema = message<ClientCompatRequest>("ClientCompatRequest");
export const ClientCompatResponseSchema =
  message<Named<"ClientCompatResponse", { testName: string; result: OneOf<{ response: Result }> }>>(
    "ClientCompatResponse",
  );

export const ConformanceService = registry.getService("connectrpc.conformance.v1.ConformanceService") as GenService<{
  unary: {
    methodKind: "unary";
    input: GenMessage<Request<"UnaryRequest", UnaryDefinition>>;
    output: Answer<"UnaryResponse">;
  };
  idempotentUnary: {
    methodKind: "unary";
    input: GenMessage<Request<"IdempotentUnaryRequest", UnaryDefinition>>;
    output: Answer<"IdempotentUnaryResponse">;
  };
  serverStream: {
    methodKind: "server_streaming";
    input: GenMessage<Request<"ServerStreamRequest", StreamDefinition>>;
    output: Answer<"ServerStreamResponse">;
  };
  clientStream: {
    methodKind: "client_streaming";
    input: GenMessage<Request<"ClientStreamRequest", UnaryDefinition>>;
    output: Answer<"ClientStreamResponse">;
  };
  bidiStream: {
    methodKind: "bidi_streaming";
    input: GenMessage<BidiStreamRequest>;
    output: Answer<"BidiStreamResponse">;
  };
}>;

/** Metadata as the suite writes it. */
export function headersToProto(headers: Headers) {
  return [...headers].map(([name, value]) => ({ name, value: [value] }));
}

export function addHeaders(from: readonly Header[], to: Headers): void {
  for (const { name, value } of from) for (const each of value) to.append(name, each);
}

/** Messages on stdin, each after its length in four bytes. */
export async function* readMessages<T extends Message>(schema: GenMessage<T>): AsyncIterable<T> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
      const end = 4 + bytes.readUInt32BE(0);
      yield fromBinary(schema, bytes.subarray(4, end)) as T;
      bytes = bytes.subarray(end);
    }
  }
}

export function writeMessage<T extends Message>(schema: GenMessage<T>, value: T): void {
  const bytes = toBinary(schema, value);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes.length);
  process.stdout.write(Buffer.concat([head, bytes]));
}
