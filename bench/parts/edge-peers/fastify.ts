// Fastify and grpc-js by hand, with protobuf-es and jsonwebtoken: what is left when a team leaves the framework out.
import { createPublicKey } from "node:crypto";
import type { AddressInfo } from "node:net";
import {
  create,
  type DescMethodUnary,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { ACCESS_TOKEN } from "@ferry/platform/auth";
import * as grpc from "@grpc/grpc-js";
import { fastify } from "fastify";
import jwt from "jsonwebtoken";
import {
  CreateTransferRequestSchema,
  type CreateTransferResponse,
  GetTransferRequestSchema,
  type GetTransferResponse,
  TransferSchema,
  TransferService,
} from "../../peers/edge/contract/bench/transfer/v1/transfer_pb.ts";
import { keepTokens } from "../kept-tokens.ts";
import { serveParent } from "../serve-parent.ts";

declare module "fastify" {
  interface FastifyRequest {
    subject: string;
  }
}

interface FastifySetUp {
  publicKeyPem: string;
  backendPort: number;
  /** Whether a token that was good is looked up after that, instead of verified each time. */
  keep: boolean;
}

/** HTTP status by google.rpc.Code. */
const STATUS = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
const DEADLINE_MS = 5_000;

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function subjects({ publicKeyPem, keep }: FastifySetUp): (authorization: string | undefined) => string | undefined {
  const { issuer, audience, type } = ACCESS_TOKEN;
  const key = createPublicKey(publicKeyPem);
  const kept = keepTokens(key, { issuer, audience, type });
  if (keep) return (authorization) => kept(authorization)?.sub;
  return (authorization) => {
    if (authorization === undefined || !authorization.startsWith("Bearer ")) return undefined;
    try {
      return String(jwt.verify(authorization.slice(7), key, { algorithms: ["ES256"], issuer, audience }).sub);
    } catch {
      return undefined;
    }
  };
}

function callerOf(backendPort: number) {
  const client = new grpc.Client(`127.0.0.1:${backendPort}`, grpc.credentials.createInsecure());
  return <Answer>(rpc: DescMethodUnary, message: Message, subject: string): Promise<Answer> => {
    const metadata = new grpc.Metadata();
    metadata.set("x-subject", subject);
    return new Promise((done, fail) => {
      client.makeUnaryRequest(
        `/${rpc.parent.typeName}/${rpc.name}`,
        (request: Message) => asBuffer(toBinary(rpc.input, request)),
        (bytes) => fromBinary(rpc.output, bytes),
        message,
        metadata,
        { deadline: Date.now() + DEADLINE_MS },
        (error, answer) => (error === null ? done(answer as Answer) : fail(error)),
      );
    });
  };
}

serveParent({
  async serve(setUp: FastifySetUp) {
    const subjectOf = subjects(setUp);
    const call = callerOf(setUp.backendPort);
    const { getTransfer, createTransfer } = TransferService.method;
    const app = fastify();
    app.decorateRequest("subject", "");
    app.addHook("onRequest", async (request, reply) => {
      const subject = subjectOf(request.headers.authorization);
      if (subject === undefined) return reply.code(401).send({ code: 16, message: "unauthenticated" });
      request.subject = subject;
    });
    app.setErrorHandler((error: Error & { code?: unknown; details?: string }, _request, reply) => {
      const code = typeof error.code === "number" ? error.code : 13;
      return reply.code(STATUS[code] ?? 500).send({ code, message: error.details ?? error.message });
    });
    app.get<{ Params: { id: string } }>("/v1/transfers/:id", async ({ params, subject }) => {
      const request = create(GetTransferRequestSchema, { transferId: params.id });
      const { transfer } = await call<GetTransferResponse>(getTransfer, request, subject);
      return toJson(TransferSchema, transfer!);
    });
    app.post<{ Body: JsonValue }>("/v1/transfers", async ({ body, subject }, reply) => {
      let request: Message;
      try {
        request = fromJson(CreateTransferRequestSchema, body);
      } catch (error) {
        return reply.code(400).send({ code: 3, message: String(error) });
      }
      const { transfer } = await call<CreateTransferResponse>(createTransfer, request, subject);
      return toJson(TransferSchema, transfer!);
    });
    await app.listen({ port: 0, host: "127.0.0.1" });
    return (app.server.address() as AddressInfo).port;
  },
});
