import assert from "node:assert/strict";
import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EchoRequestSchema, EchoResponseSchema, PATIENT_MS } from "./testing/echo-service.ts";
import { serveEcho } from "./testing/harness.ts";

// What clients in other languages send, and what broken ones do, frame by frame.

const request = Buffer.from(toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: "frame" })));

function frame(body: Buffer, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0, 0);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Sends one request and resolves with the headers and trailers of the answer together. */
async function send(context: TestContext, port: number, headers: OutgoingHttpHeaders, ...frames: Buffer[]) {
  const session = connect(`http://127.0.0.1:${port}`);
  context.after(() => session.close());
  const stream = session.request({
    ...{ ":method": "POST", ":path": "/ferry.test.v1.EchoService/Echo", te: "trailers" },
    ...{ "content-type": "application/grpc", ...headers },
  });
  const answer: IncomingHttpHeaders = {};
  stream.on("response", (received) => Object.assign(answer, received));
  stream.on("trailers", (received) => Object.assign(answer, received));
  const ended = new Promise((resolve, reject) => stream.on("close", resolve).on("error", reject));
  stream.resume();
  stream.end(Buffer.concat(frames));
  await ended;
  const details = answer["grpc-status-details-bin"];
  return { status: Number(answer["grpc-status"]), http: answer[":status"], message: answer["grpc-message"], details };
}

const [OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL] = [0, 3, 8, 12, 13];

test("requests may be compressed with gzip, and an encoding that nobody knows is refused as unimplemented", async (context) => {
  const { port } = await serveEcho(context, { echo: ({ text }) => ({ text }) });
  const status = async (...args: [OutgoingHttpHeaders, ...Buffer[]]) => (await send(context, port, ...args)).status;
  assert.equal(await status({}, frame(request)), OK);
  assert.equal(await status({ "grpc-encoding": "gzip" }, frame(gzipSync(request), true)), OK);
  assert.equal(await status({ "grpc-encoding": "gzip" }, frame(request)), OK, "a message may stay as it is");
  assert.equal(await status({ "grpc-encoding": "rot13" }, frame(request, true)), UNIMPLEMENTED);
  assert.equal(await status({ "grpc-encoding": "rot13" }, frame(request)), UNIMPLEMENTED, "whatever comes after it");
  assert.equal(await status({ "grpc-encoding": "identity" }, frame(request, true)), INTERNAL);
  assert.equal(await status({}, frame(request, true)), INTERNAL);
});

test("a small message that unpacks to a large one is refused", async (context) => {
  const { port } = await serveEcho(context, { echo: ({ text }) => ({ text }) });
  const bomb = gzipSync(Buffer.alloc(16 * 1_024 * 1_024));
  const { status } = await send(context, port, { "grpc-encoding": "gzip" }, frame(bomb, true));
  assert.equal(status, RESOURCE_EXHAUSTED);
});

test("what is not the message of the contract, or not one message, is refused", async (context) => {
  const { port } = await serveEcho(context, { echo: ({ text }) => ({ text }) });
  const broken = await send(context, port, {}, frame(Buffer.from([0x0a, 0xff])));
  assert.deepEqual(
    [broken.status, broken.message],
    [INVALID_ARGUMENT, encodeURI("the request is not a ferry.test.v1.EchoRequest")],
  );
  assert.equal((await send(context, port, {})).status, UNIMPLEMENTED);
  assert.equal((await send(context, port, {}, frame(request), frame(request))).status, UNIMPLEMENTED);
  for (const type of ["application/json", "application/grpc+json", "application/grpc-web+proto", "application/grpcx"])
    assert.equal((await send(context, port, { "content-type": type }, frame(request))).http, 415, type);
  for (const type of ["application/grpc+proto", "application/grpc;charset=utf-8"])
    assert.equal((await send(context, port, { "content-type": type }, frame(request))).status, OK, type);
  assert.equal((await send(context, port, { ":method": "PUT" }, frame(request))).http, 405);
  const unknown = await send(context, port, { ":path": "/ferry.test.v1.EchoService/Missing" }, frame(request));
  assert.equal(unknown.status, UNIMPLEMENTED);
  const torn = await send(context, port, {}, frame(request).subarray(0, 8));
  assert.equal(torn.status, INVALID_ARGUMENT, "half a message");
  const spoilt = await send(context, port, { "grpc-encoding": "gzip" }, frame(request, true));
  assert.equal(spoilt.status, INVALID_ARGUMENT, "said to be packed, and is not");
  assert.equal((await send(context, port, { "grpc-timeout": "soon" }, frame(request))).status, INVALID_ARGUMENT);
});

test("messages of a stream may come in pieces or several at once, packed or not, and are answered in their order", async (context) => {
  const { port } = await serveEcho(context, {
    async collect(requests) {
      let text = "";
      for await (const each of requests) text += each.text;
      return { text };
    },
    echo: ({ text }) => ({ text }),
  });
  const session = connect(`http://127.0.0.1:${port}`);
  context.after(() => session.close());
  const stream = session.request({
    ...{ ":method": "POST", ":path": "/ferry.test.v1.EchoService/Collect", te: "trailers" },
    ...{ "content-type": "application/grpc", "grpc-encoding": "gzip" },
  });
  const say = (text: string) => Buffer.from(toBinary(EchoRequestSchema, create(EchoRequestSchema, { text })));
  const packed = frame(gzipSync(say("b")), true);
  stream.write(frame(say("a")).subarray(0, 3));
  stream.write(frame(say("a")).subarray(3));
  stream.end(Buffer.concat([packed, frame(say("c")), packed, frame(say("d"))]));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const { text } = fromBinary(EchoResponseSchema, Buffer.concat(chunks).subarray(5));
  assert.equal(text, "abcbd");
});

test("an absurd deadline is shortened to the contract's", async (context) => {
  const { port } = await serveEcho(context, {
    echo: (_, { timeoutMs }) => {
      assert.ok((timeoutMs() ?? Infinity) <= 1.5 * PATIENT_MS);
      return {};
    },
  });
  for (const timeout of ["99999999H", "99999999M", "99999999S"])
    assert.equal((await send(context, port, { "grpc-timeout": timeout }, frame(request))).status, OK, timeout);
});

test("details of an error are base64 without padding, whatever their length", async (context) => {
  const { port } = await serveEcho(context, {});
  for (const path of ["/a/b", "/a/bc", "/a/bcd"]) {
    const { details } = await send(context, port, { ":path": path }, frame(request));
    assert.match(String(details), /^[A-Za-z0-9+/]{9,}$/, path);
  }
});
