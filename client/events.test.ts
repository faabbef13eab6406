import assert from "node:assert/strict";
import { test } from "node:test";
import { readEvents, type ServerEvent } from "./events.ts";

/** Reads events from a body that comes in these pieces. */
async function read(pieces: readonly (string | Uint8Array<ArrayBuffer>)[]): Promise<ServerEvent[]> {
  const bytes = pieces.map((piece) => (typeof piece === "string" ? new TextEncoder().encode(piece) : piece));
  const events: ServerEvent[] = [];
  for await (const event of readEvents(ReadableStream.from(bytes), 1_000)) events.push(event);
  return events;
}

test("events are read by the rules, with every end of line, and comments are no events", async () => {
  const text = ':\n\nid: 7\ndata: {"a":1}\n\nevent: error\r\ndata:x\r\ndata: y\r\n\r\ndata: last\r\rdata: never ended';
  const wanted = [
    { type: "message", data: '{"a":1}', lastEventId: "7" },
    { type: "error", data: "x\ny", lastEventId: "7" },
    { type: "message", data: "last", lastEventId: "7" },
  ];
  assert.deepEqual(await read([text]), wanted);
  assert.deepEqual(await read([...text]), wanted, "a character at a time, too");
});

test("a character that is cut in two is whole again", async () => {
  const bytes = new TextEncoder().encode("data: €\n\n");
  const [event] = await read([bytes.slice(0, 7), bytes.slice(7)]);
  assert.equal(event?.data, "€");
});

test("a connection on which nothing comes is broken", async () => {
  const silent = new ReadableStream<Uint8Array<ArrayBuffer>>({ start() {} });
  await assert.rejects(readEvents(silent, 20).next(), /nothing came for 20 ms/);
});
