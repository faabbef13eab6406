import type { FastifyReply } from "fastify";
import { etagOf, isKnown } from "./etag.ts";
import type { EdgePlan } from "./routes.ts";

/** A media type with parameters, by RFC 9110, 8.3.1: nothing else of a service's becomes a header. */
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:[ \t]*;[ \t]*[\w!#$&^.+-]+=(?:[\w!#$&^.+-]+|"[ !#-[\]-~]*"))*$/;

/** The content type that a google.api.HttpBody has; bytes of no known kind when it says none, or none that is one. */
export function contentTypeOf({ contentType }: { contentType: string }): string {
  return contentType.length < 256 && MEDIA_TYPE.test(contentType) ? contentType : "application/octet-stream";
}

/** Answers with content as the service gave it, without the envelope: google.api.HttpBody. */
export function sendContent(
  reply: FastifyReply,
  { httpMethod }: Pick<EdgePlan["route"], "httpMethod">,
  content: { contentType: string; data: Uint8Array },
): FastifyReply {
  const { data } = content;
  if (httpMethod === "GET") {
    const etag = etagOf(data);
    reply.header("etag", etag);
    const known = reply.request.headers["if-none-match"];
    if (known !== undefined && isKnown(known, etag)) return reply.code(304).send();
  }
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  return reply.header("content-type", contentTypeOf(content)).send(bytes);
}
