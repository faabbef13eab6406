import type { FastifyRequest } from "fastify";
import { addClient } from "./access.ts";

/** A header's values as they came: Node joins repeated ones with a comma, and nobody can tell them apart then. */
export function headerValues(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const given = rawHeaders[at]!;
    if (given.length === name.length && given.toLowerCase() === name) values.push(rawHeaders[at + 1]!);
  }
  return values;
}

/** A header that may come several times, as one text. */
export function joined(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(",") : header;
}

/** The whole of what goes on to a service: a client's other headers are nobody's business inside. */
export function forwardedHeaders(request: FastifyRequest, waitSeconds: number): Record<string, string> {
  const { headers, facts } = request;
  const forwarded: Record<string, string> = { "x-request-id": facts.requestId, traceparent: facts.traceparent };
  if (facts.principal !== undefined && headers.authorization !== undefined)
    forwarded.authorization = headers.authorization;
  if (facts.idempotencyKey !== undefined) forwarded["idempotency-key"] = facts.idempotencyKey;
  if (waitSeconds > 0) forwarded.prefer = `wait=${waitSeconds}`;
  if (facts.match?.plan.policy.auth === "public") addClient(forwarded, request.ip, headers["user-agent"]);
  return forwarded;
}
