import type { FastifyReply, FastifyRequest } from "fastify";
import { type Coding, codingOf, MIN_BYTES, pack, varyByCoding } from "./compression.ts";
import { etagOf, isKnown } from "./etag.ts";

/** A text that is the same for everybody for as long as the process runs. */
export interface PublicDocument {
  type: string;
  /** Beside those of its form, as "cache-control". */
  headers: Readonly<Record<string, string>>;
  make(): Promise<string> | string;
}

interface Made {
  etag: string;
  bytes: Buffer;
  /** By coding; as many as there are codings. */
  packed: Map<Coding, Promise<Buffer>>;
}

/**
 * Answers with a document. It is made, and packed, when it is first asked for, and kept from then on: most processes
 * are never asked, and where anybody may ask without a token, an answer must not cost the packing of a megabyte.
 */
export function documentHandler({ type, headers, make }: PublicDocument) {
  let made: Promise<Made> | undefined;

  async function makeOnce(): Promise<Made> {
    const text = await make();
    return { etag: etagOf(text), bytes: Buffer.from(text), packed: new Map() };
  }

  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    made ??= makeOnce().catch((error) => {
      made = undefined; // Whoever asks next tries anew.
      throw error;
    });
    const document = await made;
    const { etag, bytes } = document;
    reply.headers(headers).header("etag", etag);
    const coding = bytes.length < MIN_BYTES ? undefined : codingFor(request, reply);
    const known = request.headers["if-none-match"];
    if (known !== undefined && isKnown(known, etag)) return reply.code(304).send();
    reply.type(type);
    if (coding === undefined) return reply.send(bytes);
    return reply.header("content-encoding", coding).send(await packedOf(document, coding));
  };
}

function codingFor({ headers }: FastifyRequest, reply: FastifyReply): Coding | undefined {
  varyByCoding(reply);
  const accepted = headers["accept-encoding"];
  return accepted === undefined ? undefined : codingOf(String(accepted));
}

function packedOf({ bytes, packed }: Made, coding: Coding): Promise<Buffer> {
  const known = packed.get(coding);
  if (known !== undefined) return known;
  const packing = pack(bytes, coding);
  packed.set(coding, packing);
  return packing;
}
