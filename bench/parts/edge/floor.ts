// The floor of the edge: GET /v1/transfers/{id} by hand on Fastify and grpc-js, with the checks that the
// contract asks for: token, scope, suspension, the form of the id, no body, a deadline, an abandoned call ended.
import { createPublicKey, randomBytes, randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";
import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { GetTransferRequestSchema, GetTransferResponseSchema } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { ACCESS_TOKEN } from "@ferry/platform/auth";
import * as grpc from "@grpc/grpc-js";
import { type FastifyReply, fastify } from "fastify";
import { type Claims, keepTokens, UUID } from "../kept-tokens.ts";
import { serveParent } from "../serve-parent.ts";

const PATH = "/ferry.transfer.v1.TransferService/GetTransfer";
const DEADLINE_MS = 2_000;
const MAX_IN_FLIGHT = 4_096;
const REQUEST_ID = /^[A-Za-z0-9._~-]{1,128}$/;
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** What helmet writes with the edge's options. */
const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none';frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "origin-agent-cluster": "?1",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "x-dns-prefetch-control": "off",
  "x-download-options": "noopen",
  "x-frame-options": "SAMEORIGIN",
  "x-permitted-cross-domain-policies": "none",
  "x-xss-protection": "0",
};

/** Of google.rpc.Code, those that can come here. */
const STATUS: Readonly<Record<number, [number, string]>> = {
  [grpc.status.INVALID_ARGUMENT]: [400, "INVALID_REQUEST"],
  [grpc.status.UNAUTHENTICATED]: [401, "UNAUTHENTICATED"],
  [grpc.status.PERMISSION_DENIED]: [403, "SCOPE_MISSING"],
  [grpc.status.NOT_FOUND]: [404, "NOT_FOUND"],
  [grpc.status.UNAVAILABLE]: [503, "UNAVAILABLE"],
  [grpc.status.DEADLINE_EXCEEDED]: [504, "DEADLINE_EXCEEDED"],
};

interface Ids {
  requestId: string;
  traceparent: string;
  traceId: string;
}

class Refusal extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

function idsOf(headers: Record<string, string | string[] | undefined>): Ids {
  const { "x-request-id": id, traceparent: parent } = headers;
  const traceparent =
    typeof parent === "string" && TRACEPARENT.test(parent)
      ? parent
      : `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-00`;
  const requestId = typeof id === "string" && REQUEST_ID.test(id) ? id : randomUUID();
  return { requestId, traceparent, traceId: traceparent.slice(3, 35) };
}

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Calls the service; the call ends when the client goes away. */
function getTransfer(client: grpc.Client, transferId: string, authorization: string, ids: Ids, reply: FastifyReply) {
  const metadata = new grpc.Metadata();
  metadata.set("authorization", authorization);
  metadata.set("x-request-id", ids.requestId);
  metadata.set("traceparent", ids.traceparent);
  return new Promise<string>((done, fail) => {
    const call = client.makeUnaryRequest(
      PATH,
      asBuffer,
      (bytes) => fromBinary(GetTransferResponseSchema, bytes),
      toBinary(GetTransferRequestSchema, create(GetTransferRequestSchema, { transferId })),
      metadata,
      { deadline: Date.now() + DEADLINE_MS },
      (error, response) => {
        if (error !== null) fail(error);
        else done(JSON.stringify(toJson(GetTransferResponseSchema, response!, { alwaysEmitImplicit: true })));
      },
    );
    reply.raw.once("close", () => {
      if (!reply.raw.writableFinished) call.cancel();
    });
  });
}

serveParent({
  async serve({ memberKeyPem, transferPort }: { memberKeyPem: string; transferPort: number }) {
    const { issuer, audience, type } = ACCESS_TOKEN;
    const claimsOf = keepTokens(createPublicKey(memberKeyPem), { issuer, audience, type });
    const client = new grpc.Client(`127.0.0.1:${transferPort}`, grpc.credentials.createInsecure());
    const [suspended, revoked] = [new Set<string>(), new Set<string>()];
    let inFlight = 0;

    const isGone = ({ sub, sid = "" }: Claims) => suspended.has(sub) || revoked.has(sid);
    const app = fastify({ bodyLimit: 65_536, requestTimeout: 15_000, keepAliveTimeout: 65_000 });
    app.get<{ Params: { id: string } }>("/v1/transfers/:id", async (request, reply) => {
      const { headers } = request;
      const ids = idsOf(headers);
      if (inFlight >= MAX_IN_FLIGHT) throw new Refusal(grpc.status.UNAVAILABLE, "too many requests at once");
      inFlight++;
      try {
        const claims = claimsOf(headers.authorization);
        if (claims === undefined || isGone(claims)) throw new Refusal(grpc.status.UNAUTHENTICATED, "no good token");
        if (claims.role !== "member" || !claims.scopes.has("transfers:read"))
          throw new Refusal(grpc.status.PERMISSION_DENIED, "the token lacks the scope transfers:read");
        if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0)
          throw new Refusal(grpc.status.INVALID_ARGUMENT, "this route takes no body");
        const { id } = request.params;
        if (!UUID.test(id)) throw new Refusal(grpc.status.INVALID_ARGUMENT, "transferId: must be a UUID");
        const data = await getTransfer(client, id, headers.authorization!, ids, reply);
        reply.headers(HEADERS).header("x-request-id", ids.requestId).type("application/json; charset=utf-8");
        return `{"data":${data},"meta":{"requestId":"${ids.requestId}","traceId":"${ids.traceId}"}}`;
      } finally {
        inFlight--;
      }
    });
    app.setErrorHandler((error: Error & { code?: unknown; details?: string }, request, reply) => {
      const ids = idsOf(request.headers);
      const [status, code] = STATUS[Number(error.code)] ?? [500, "INTERNAL"];
      const body = { code, status, message: error.details ?? error.message, details: [], retryable: status >= 503 };
      const meta = { requestId: ids.requestId, traceId: ids.traceId };
      reply.code(status).headers(HEADERS).header("x-request-id", ids.requestId).send({ error: body, meta });
    });
    await app.listen({ port: 0, host: "127.0.0.1" });
    return (app.server.address() as AddressInfo).port;
  },
});
