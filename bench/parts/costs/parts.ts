// What a sample of a profile counts for: the nearest frame, from the innermost out, that belongs to something known.

/** The parts of the cost table, in its order. */
export const PARTS = {
  http: "HTTP and JSON",
  jwt: "JWT",
  "grpc-client": "gRPC client",
  "grpc-server": "gRPC server",
  protobuf: "protobuf, field rules",
  kafka: "Kafka client",
  broker: "broker",
  sql: "SQL in Node",
  saga: "saga, outbox, inbox",
  domain: "domain and app",
  bank: "bank",
  runtime: "logs, telemetry, lifecycle",
  gc: "garbage collector",
  io: "Node's own I/O",
} as const;

export type Part = keyof typeof PARTS;
export const PART_NAMES = Object.keys(PARTS) as Part[];

/**
 * Where a file belongs, by its path from the repository's root; the first that fits. Files of grpc-js that both
 * sides use are not here: who called them decides.
 */
const FILES: readonly [RegExp, Part][] = [
  [/^node_modules\/@bufbuild\/|^platform\/codec\/|^gen\/|^platform\/rpc\/(validation|null-characters)/, "protobuf"],
  [/^node_modules\/(jsonwebtoken|jws|jwa|ecdsa-sig-formatter)\/|^platform\/auth\//, "jwt"],
  [/^node_modules\/@grpc\/grpc-js\/build\/src\/server/, "grpc-server"],
  [/^platform\/rpc\/server\//, "grpc-server"],
  [
    /^node_modules\/@grpc\/grpc-js\/build\/src\/(.*channel|client|load-balanc|transport|retrying|picker|resolving|deadline-filter|call)/,
    "grpc-client",
  ],
  [/^platform\/rpc\/client\/|^node_modules\/@connectrpc\//, "grpc-client"],
  [/^node_modules\/kafkajs\/|^platform\/events\//, "kafka"],
  [/^local\/broker\//, "broker"],
  [/^node_modules\/(pg|pg-pool|pg-protocol|pg-types|pg-int8|postgres-[a-z]+)\/|^platform\/db\//, "sql"],
  [/^services\/[^/]+\/store\//, "sql"],
  [/^platform\/(saga|outbox|inbox)\//, "saga"],
  [/^services\/banking\/clients\/|^node_modules\/undici\//, "http"],
  [/^edge\/|^node_modules\/(fastify|@fastify|find-my-way|fast-[a-z-]+|secure-json-parse)\//, "http"],
  [/^services\//, "domain"],
  [/^local\/bank\//, "bank"],
  [/^node_modules\/(pino|sonic-boom|prom-client|@opentelemetry)\//, "runtime"],
  [/^platform\/(telemetry|lifecycle|config|errors)\/|^local\//, "runtime"],
];

/** The part that a file belongs to; undefined when who called it decides. What the broker takes from the client's side is its own. */
export function partOfFile(path: string, process: string): Part | undefined {
  const part = FILES.find(([pattern]) => pattern.test(path))?.[1];
  return process === "broker" && part === "kafka" ? "broker" : part;
}

/** What Node itself does for nobody in particular, by its module. The edge only calls; the other processes are mostly called. */
export function partOfModule(module: string, process: string): Part {
  if (/^node:(internal\/)?http2|^node_modules\/@grpc\//.test(module))
    return process === "edge" ? "grpc-client" : "grpc-server";
  return /^node:_http|^node:internal\/(http|undici|deps\/undici)/.test(module) ? "http" : "io";
}
