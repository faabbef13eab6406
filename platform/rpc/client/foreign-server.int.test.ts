import assert from "node:assert/strict";
import { constants, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import type { ChannelOptions } from "../index.ts";
import { EchoResponseSchema } from "../testing/echo-service.ts";
import { echoClient, reasonOf } from "../testing/harness.ts";

// What servers in other languages answer, and what broken ones do, frame by frame.

const HEADERS = { ":status": 200, "content-type": "application/grpc" };

function frame(text: string, packed = false): Buffer {
  const message = toBinary(EchoResponseSchema, create(EchoResponseSchema, { text }));
  const body = packed ? gzipSync(message) : message;
  const head = Buffer.alloc(5);
  head.writeUInt8(packed ? 1 : 0, 0);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Answers with headers, these bytes, and trailers. */
function answer(stream: ServerHttp2Stream, body: readonly Buffer[], trailers = {}, headers = {}): void {
  stream.respond({ ...HEADERS, ...headers }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", ...trailers }));
  for (const part of body) stream.write(part);
  stream.end();
}

/** Says how the call ends before its message, where no status counts. */
function statusFirst(stream: ServerHttp2Stream, message: Buffer): void {
  stream.respond({ ...HEADERS, "grpc-status": "0" });
  stream.end(message);
}

async function serve(
  context: TestContext,
  onCall: (stream: ServerHttp2Stream, call: number) => void,
  options: Partial<ChannelOptions> = {},
) {
  const server = createServer();
  let calls = 0;
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    stream.resume();
    onCall(stream as ServerHttp2Stream, ++calls);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => void server.close());
  return echoClient(context, (server.address() as AddressInfo).port, { maxMessageBytes: 10_000, ...options });
}

test("a stream without a deadline ends when its peer says that it leaves, and never does", {
  timeout: 60_000,
}, async (context) => {
  const left: ServerHttp2Stream[] = [];
  const leave = (stream: ServerHttp2Stream) => {
    left.push(stream);
    stream.respond(HEADERS);
    stream.write(frame("first"));
    stream.session?.goaway();
  };
  const client = await serve(context, leave, { keepalive: { everyMs: 20, timeoutMs: 200 } });
  context.after(() => {
    for (const stream of left) stream.session?.destroy();
  });
  assert.equal(await reasonOf(client.watch({})), "UNAVAILABLE");
});

test("a call that the peer says it has not begun is sent again, also one that must not be repeated", async (context) => {
  const seen: number[] = [];
  const client = await serve(context, (stream, call) => {
    seen.push(call);
    if (call < 3) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else answer(stream, [frame("third")]);
  });
  assert.equal((await client.once({})).text, "third");
  assert.deepEqual(seen, [1, 2, 3]);
});

test("a peer that refuses every time is not asked for ever", async (context) => {
  let calls = 0;
  const client = await serve(context, (stream, call) => {
    calls = call;
    stream.close(constants.NGHTTP2_REFUSED_STREAM);
  });
  assert.equal(await reasonOf(client.once({})), "UNAVAILABLE");
  assert.equal(calls, 4);
});

test("calls go on to a new connection when the peer leaves the old one, and those on the old one end well", async (context) => {
  const ports = new Set<number | undefined>();
  let finish = () => {};
  const client = await serve(context, (stream, call) => {
    ports.add(stream.session?.socket.remotePort);
    if (call > 1) return answer(stream, [frame("next")]);
    stream.session?.goaway();
    finish = () => answer(stream, [frame("first")]);
  });
  const first = client.once({});
  while (ports.size === 0) await new Promise((resolve) => setImmediate(resolve));
  while (ports.size === 1) assert.equal(await reasonOf(client.once({})), "OK");
  finish();
  assert.equal((await first).text, "first");
});

test("a connection that breaks under a call fails it as unavailable, without a second try of what may have happened", async (context) => {
  let calls = 0;
  const client = await serve(context, (stream, call) => {
    calls = call;
    stream.session?.destroy();
  });
  assert.equal(await reasonOf(client.once({})), "UNAVAILABLE");
  assert.equal(calls, 1);
});

test("answers may be packed, come in pieces, and come before an error", async (context) => {
  const whole = frame("in pieces");
  const client = await serve(context, (stream, call) => {
    if (call === 1) answer(stream, [frame("packed", true)], {}, { "grpc-encoding": "gzip" });
    else if (call === 2) answer(stream, [whole.subarray(0, 3), whole.subarray(3, 9), whole.subarray(9)]);
    else
      answer(
        stream,
        [frame("a", true), frame("b", true)],
        { "grpc-status": "5", "grpc-message": "n%C3%B6" },
        {
          "grpc-encoding": "gzip",
        },
      );
  });
  assert.equal((await client.once({})).text, "packed");
  assert.equal((await client.once({})).text, "in pieces");
  const texts: string[] = [];
  const stream = async () => {
    for await (const { text } of client.count({})) texts.push(text);
  };
  await assert.rejects(stream(), { reason: "NOT_FOUND", message: "nö" });
  assert.deepEqual(texts, ["a", "b"]);
});

test("answers that are none are errors of the peer, and say nothing of it", async (context) => {
  const bomb = gzipSync(Buffer.alloc(1_000_000));
  const packed = Buffer.concat([Buffer.from([1, 0, 0, bomb.length >> 8, bomb.length & 255]), bomb]);
  const huge = Buffer.from([0, 127, 0, 0, 0]);
  const cases: [expected: string, answer: (stream: ServerHttp2Stream) => void][] = [
    ["UNIMPLEMENTED", (stream) => answer(stream, [])],
    ["UNIMPLEMENTED", (stream) => answer(stream, [frame("a"), frame("b")])],
    ["INTERNAL", (stream) => statusFirst(stream, frame("a"))],
    ["INTERNAL", (stream) => answer(stream, [frame("torn").subarray(0, 7)])],
    ["INTERNAL", (stream) => answer(stream, [Buffer.from([0, 0, 0, 0, 2, 0x0a, 0xff])])],
    ["INTERNAL", (stream) => answer(stream, [frame("a", true)], {}, { "grpc-encoding": "rot13" })],
    ["INTERNAL", (stream) => answer(stream, [frame("a")], { "grpc-status": "zero" })],
    ["INTERNAL", (stream) => stream.respond({ ":status": 500 }, { endStream: true })],
    ["INTERNAL", (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
    ["BODY_TOO_LARGE", (stream) => answer(stream, [huge])],
    ["BODY_TOO_LARGE", (stream) => answer(stream, [packed], {}, { "grpc-encoding": "gzip" })],
    ["UNAVAILABLE", (stream) => stream.respond({ ":status": 503 }, { endStream: true })],
    ["UNIMPLEMENTED", (stream) => stream.respond({ ...HEADERS, "grpc-status": "12" }, { endStream: true })],
    ["RESOURCE_EXHAUSTED", (stream) => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)],
  ];
  const client = await serve(context, (stream, call) => cases[call - 1]?.[1](stream));
  for (const [index, [expected]] of cases.entries())
    assert.equal(await reasonOf(client.once({})), expected, `case ${index}`);
});
