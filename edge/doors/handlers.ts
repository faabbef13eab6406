import type {
  DescMethodServerStreaming,
  DescMethodUnary,
  JsonReadOptions,
  JsonWriteOptions,
  Message,
} from "@bufbuild/protobuf";
import { createConnectRouter, type HandlerContext } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { gzipCompression } from "./gzip.ts";

/** The protocols that the edge speaks beside REST, when told to. */
export const DOORS = ["connect", "grpc-web"] as const;
export type Door = (typeof DOORS)[number];

/** What answers an rpc behind a door. Both kinds reject with ConnectError only. */
export type DoorMethod =
  | { rpc: DescMethodUnary; answer(request: Message, context: HandlerContext): Promise<Message> }
  | { rpc: DescMethodServerStreaming; answer(request: Message, context: HandlerContext): AsyncIterable<Message> };

export interface HandlerOptions {
  /** The largest message that is read, unpacked, in bytes. */
  maxMessageBytes: number;
  /** Whether large answers are packed for who takes it: never those in which a secret could be guessed by their length. */
  packs: boolean;
  /** Default: fields that are not set are shown. */
  jsonOptions?: Partial<JsonReadOptions & JsonWriteOptions>;
}

/** Smaller answers gain nothing from being packed. */
const PACK_FROM_BYTES = 2_048;

/** An rpc as Connect's own handlers serve it: they know the protocols, and nothing of HTTP servers. */
export function createHandler(doors: readonly Door[], method: DoorMethod, options: HandlerOptions): UniversalHandler {
  const router = createConnectRouter({
    grpc: false,
    connect: doors.includes("connect"),
    grpcWeb: doors.includes("grpc-web"),
    acceptCompression: [gzipCompression],
    compressMinBytes: options.packs ? PACK_FROM_BYTES : Number.MAX_SAFE_INTEGER,
    readMaxBytes: options.maxMessageBytes,
    jsonOptions: options.jsonOptions ?? { alwaysEmitImplicit: true },
  });
  if (method.rpc.methodKind === "unary") router.rpc(method.rpc, method.answer as never);
  else router.rpc(method.rpc, method.answer as never);
  const [handler] = router.handlers;
  if (handler === undefined) throw new Error("the router made no handler");
  return handler;
}

/** The content types that an rpc's requests may have. */
export function contentTypes(doors: readonly Door[], { methodKind }: DoorMethod["rpc"]): string[] {
  const names = [];
  if (doors.includes("connect")) names.push(methodKind === "unary" ? "" : "connect+");
  if (doors.includes("grpc-web")) names.push("grpc-web+");
  return names.flatMap((name) => [`application/${name}proto`, `application/${name}json`]);
}
