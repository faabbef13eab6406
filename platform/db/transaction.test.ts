import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import type pg from "pg";
import { sendTogether } from "./transaction.ts";

function countingClient() {
  const writes: number[] = [];
  const stream = new Writable({
    write(_chunk, _encoding, done) {
      writes.push(1);
      done();
    },
    writev(chunks, done) {
      writes.push(chunks.length);
      done();
    },
  });
  return { client: { connection: { stream } } as unknown as pg.ClientBase, stream, writes };
}

test("what is asked of a connection in one turn leaves in one write, and what comes later in another", async () => {
  const { client, stream, writes } = countingClient();
  sendTogether(client);
  stream.write("BEGIN");
  // As statements do that follow on each other's promises, and as the driver does around each of its own.
  await Promise.resolve().then(() => {
    sendTogether(client);
    stream.cork();
    stream.write("bind");
    stream.write("execute");
    stream.uncork();
  });
  await new Promise(setImmediate);
  assert.deepEqual(writes, [3]);
  sendTogether(client);
  stream.write("COMMIT");
  await new Promise(setImmediate);
  assert.deepEqual(writes, [3, 1]);
});
