import { promisify } from "node:util";
import { brotliCompress, brotliCompressSync, constants, gzip, gzipSync } from "node:zlib";
import type { DescMessage } from "@bufbuild/protobuf";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { EdgePlan, EdgeRoutes } from "./routes.ts";

/** Below this an answer goes in two packets at most, and compressing it costs more than it saves. */
export const MIN_BYTES = 2_048;
/** Up to this the work is done where it is, 0.1 ms at most: a thread of the pool costs as much as it saves. */
const MAX_SYNC_BYTES = 65_536;
const TEXT = /^(?:application\/(?:json|javascript|[a-z.+-]+\+json)|text\/(?:html|css|javascript|plain))\b/;

const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };
const GZIP = { level: 3 };
const brotliAside = promisify(brotliCompress);
const gzipAside = promisify(gzip);

export type Coding = "br" | "gzip";

/** One coding and its weight. No two parts that follow each other take the same characters, so it is read but once. */
const CODING = /^([\w*-]+)(?:\s*;\s*q\s*=\s*([01](?:\.\d{0,3})?))?$/;

/**
 * Chooses a coding by the header Accept-Encoding (RFC 9110, 12.5.3): brotli before gzip where the client has no
 * preference.
 *
 * @returns undefined when the client takes none of both.
 */
export function codingOf(acceptEncoding: string): Coding | undefined {
  const weights = new Map<string, number>();
  for (const part of acceptEncoding.split(",")) {
    const match = CODING.exec(part.trim().toLowerCase());
    if (match !== null) weights.set(match[1]!, Number(match[2] ?? 1));
  }
  const weightOf = (coding: string) => weights.get(coding) ?? weights.get("*") ?? 0;
  const brotli = weightOf("br");
  const zipped = weightOf("gzip");
  if (brotli === 0 && zipped === 0) return undefined;
  return brotli >= zipped ? "br" : "gzip";
}

/** Packs on a thread of the pool. */
export function pack(content: string | Buffer, coding: Coding): Promise<Buffer> {
  return coding === "br" ? brotliAside(content, BROTLI) : gzipAside(content, GZIP);
}

/** Says that an answer is another one for who takes other codings. */
export function varyByCoding(reply: FastifyReply): void {
  const vary = reply.getHeader("vary");
  reply.header("vary", vary === undefined ? "accept-encoding" : `${vary}, accept-encoding`);
}

export type Compress = (
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error: Error | null, payload?: unknown) => void,
) => void;

/**
 * Compresses answers to reads. Answers to changes are never compressed, nor any whose message has a secret in it
 * (`debug_redact` in its contract): where a secret and what an attacker wrote are compressed together, the length
 * tells the secret (BREACH).
 *
 * @returns An onSend hook.
 */
export function createCompress({ plans }: EdgeRoutes): Compress {
  const plain = new Set<EdgePlan>(plans.filter(({ route }) => hasSecret(route.rpc.output)));
  return (request, reply, payload, done) => {
    if (typeof payload !== "string" || payload.length < MIN_BYTES || !isOpen(request, plain))
      return done(null, payload);
    const type = reply.getHeader("content-type");
    if (typeof type !== "string" || !TEXT.test(type) || reply.hasHeader("content-encoding")) return done(null, payload);
    varyByCoding(reply);
    const accepted = request.headers["accept-encoding"];
    const coding = accepted === undefined ? undefined : codingOf(String(accepted));
    if (coding === undefined) return done(null, payload);
    reply.header("content-encoding", coding).removeHeader("content-length");
    if (payload.length <= MAX_SYNC_BYTES)
      return done(null, coding === "br" ? brotliCompressSync(payload, BROTLI) : gzipSync(payload, GZIP));
    pack(payload, coding).then((compressed) => done(null, compressed), done);
  };
}

function isOpen({ raw, facts }: FastifyRequest, plain: ReadonlySet<EdgePlan>): boolean {
  if (raw.method !== "GET" && raw.method !== "HEAD") return false;
  return facts.match === undefined || !plain.has(facts.match.plan);
}

/** Whether a message, or one within it, has a field that its contract keeps out of logs. */
export function hasSecret(desc: DescMessage, seen = new Set<DescMessage>()): boolean {
  if (seen.has(desc)) return false;
  seen.add(desc);
  return desc.fields.some(
    (field) =>
      field.proto.options?.debugRedact === true || (field.message !== undefined && hasSecret(field.message, seen)),
  );
}
