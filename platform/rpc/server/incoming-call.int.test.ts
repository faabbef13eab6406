import assert from "node:assert/strict";
import { connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { frameOf } from "../frames.ts";
import { IncomingCall } from "./incoming-call.ts";

const MESSAGE = frameOf(Buffer.from("a"));

test("a call that is answered before its request has been read lets its stream go", {
  timeout: 30_000,
}, async (context) => {
  const server = createServer();
  const closed = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  server.on("stream", (stream, headers) => {
    stream.on("close", () => closed.resolve());
    const call = new IncomingCall(stream, headers, 1_024);
    const onReceiveMessage = () => {
      // By then the second message has stopped the reading, and what comes behind it lies in the stream.
      const whenMoreLies = (): void => {
        if (stream.readableLength === 0) setImmediate(whenMoreLies);
        else {
          call.sendHeaders([]);
          call.succeed([], Buffer.from("b"));
          answered.resolve();
        }
      };
      whenMoreLies();
    };
    call.start({ onReceiveMessage, onReceiveHalfClose() {}, onBroken: assert.fail, onClose() {} });
    call.startRead();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  context.after(() => {
    session.destroy();
    server.close();
  });
  const stream = session.request({ ":method": "POST", ":path": "/a/b", "content-type": "application/grpc" });
  stream.resume();
  stream.write(Buffer.concat([MESSAGE, MESSAGE]));
  const more = setInterval(() => stream.write(MESSAGE), 5);
  await answered.promise;
  clearInterval(more);
  stream.end();
  await closed.promise;
});
