// What is under grpc-js: node:http2 with the frames of a unary call, the bytes made once. No deadline is
// kept, no token looked at, no message encoded: what a hop costs that does nothing.
import { once } from "node:events";
import http2, { type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  BatchGetAccountFactsRequestSchema,
  BatchGetAccountFactsResponseSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { createServiceIdentity } from "@ferry/platform/auth";
import { answer, CALLED, CALLER, DEADLINE_MS, type HopSetUp, nextCall, PATH } from "./call.ts";

/** A message as gRPC frames it: a flag, the length, the bytes. */
function framed(bytes: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + bytes.length);
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, 5);
  return frame;
}

const request = create(BatchGetAccountFactsRequestSchema, { accountIds: [nextCall().accountId] });
const REQUEST = framed(toBinary(BatchGetAccountFactsRequestSchema, request));
const ANSWER = framed(toBinary(BatchGetAccountFactsResponseSchema, answer(request)));

export async function serve(_setUp: HopSetUp): Promise<number> {
  const server = http2.createServer();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("data", () => {});
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(ANSWER);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

export async function connect(port: number, { privateKeyPem }: HopSetUp): Promise<() => Promise<void>> {
  const identity = createServiceIdentity({ name: CALLER!, privateKeyPem });
  const session = http2.connect(`http://127.0.0.1:${port}`, { settings: { enablePush: false } });
  await once(session, "connect");
  return () =>
    new Promise((done, fail) => {
      const { requestId, traceparent } = nextCall();
      const stream = session.request({
        ":method": "POST",
        ":path": PATH,
        "content-type": "application/grpc",
        te: "trailers",
        "grpc-timeout": `${DEADLINE_MS}m`,
        authorization: identity.authorizationFor(CALLED!),
        "x-request-id": requestId,
        traceparent,
      });
      let status: unknown;
      let received = 0;
      stream.on("trailers", (trailers) => {
        status = trailers["grpc-status"];
      });
      stream.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      stream.on("error", fail);
      stream.on("close", () => {
        if (status === "0" && received === ANSWER.length) done();
        else fail(new Error(`status ${status}, ${received} bytes`));
      });
      stream.end(REQUEST);
    });
}
