// The floor of a hop: grpc-js by hand on both sides, with the same messages, metadata and checks.
import { createPublicKey } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type BatchGetAccountFactsRequest,
  BatchGetAccountFactsRequestSchema,
  type BatchGetAccountFactsResponse,
  BatchGetAccountFactsResponseSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { createServiceIdentity, SERVICE_ASSERTION } from "@ferry/platform/auth";
import * as grpc from "@grpc/grpc-js";
import { keepTokens, UUID } from "../kept-tokens.ts";
import { answer, CALLED, CALLER, DEADLINE_MS, type HopSetUp, nextCall, PATH } from "./call.ts";

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const METHOD: grpc.MethodDefinition<BatchGetAccountFactsRequest, BatchGetAccountFactsResponse> = {
  path: PATH,
  requestStream: false,
  responseStream: false,
  requestSerialize: (message) => asBuffer(toBinary(BatchGetAccountFactsRequestSchema, message)),
  requestDeserialize: (bytes) => fromBinary(BatchGetAccountFactsRequestSchema, bytes),
  responseSerialize: (message) => asBuffer(toBinary(BatchGetAccountFactsResponseSchema, message)),
  responseDeserialize: (bytes) => fromBinary(BatchGetAccountFactsResponseSchema, bytes),
};
const MAX_ITEMS = 2_000;

export function serve({ publicKeyPem }: HopSetUp): Promise<number> {
  const claimsOf = keepTokens(createPublicKey(publicKeyPem), {
    issuer: CALLER!,
    audience: CALLED!,
    type: SERVICE_ASSERTION.type,
  });
  const handle: grpc.handleUnaryCall<BatchGetAccountFactsRequest, BatchGetAccountFactsResponse> = (call, done) => {
    const [authorization] = call.metadata.get("authorization");
    const claims = typeof authorization === "string" ? claimsOf(authorization) : undefined;
    if (claims?.sub !== CALLER) return done({ code: grpc.status.UNAUTHENTICATED, details: "not the caller" });
    const { accountIds } = call.request;
    if (accountIds.length > MAX_ITEMS || !accountIds.every((id) => UUID.test(id)))
      return done({ code: grpc.status.INVALID_ARGUMENT, details: "account_ids: must be UUIDs" });
    done(null, answer(call.request));
  };
  const server = new grpc.Server();
  server.addService({ batchGetAccountFacts: METHOD }, { batchGetAccountFacts: handle });
  return new Promise((listening, fail) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) listening(port);
      else fail(error);
    });
  });
}

export async function connect(port: number, { privateKeyPem }: HopSetUp): Promise<() => Promise<void>> {
  const identity = createServiceIdentity({ name: CALLER!, privateKeyPem });
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const send = (message: BatchGetAccountFactsRequest, metadata: grpc.Metadata) =>
    new Promise<BatchGetAccountFactsResponse>((done, fail) => {
      client.makeUnaryRequest(
        PATH,
        METHOD.requestSerialize,
        METHOD.responseDeserialize,
        message,
        metadata,
        { deadline: Date.now() + DEADLINE_MS },
        (error, response) => (error === null ? done(response!) : fail(error)),
      );
    });
  return async () => {
    const { accountId, requestId, traceparent } = nextCall();
    const metadata = new grpc.Metadata();
    metadata.set("authorization", identity.authorizationFor(CALLED!));
    metadata.set("x-request-id", requestId);
    metadata.set("traceparent", traceparent);
    const { accounts } = await send(create(BatchGetAccountFactsRequestSchema, { accountIds: [accountId] }), metadata);
    if (accounts[accountId]?.currency !== "EUR") throw new Error("a wrong answer");
  };
}
