import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import type pg from "pg";
import { beginTransaction, sendTogether } from "./transaction.ts";

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

test("a COMMIT that concludes leaves in the write of the last statements, whenever in the turn these are asked for", async () => {
  const { client, stream, writes } = countingClient();
  const query = (text: string) => {
    stream.write(text);
    return Promise.resolve({ command: text });
  };
  const pooled = Object.assign(client, { query, release() {} }) as unknown as pg.PoolClient;
  const { tx, commit } = beginTransaction(
    pooled,
    async (asked, text) => {
      sendTogether(asked);
      stream.write(text);
      return [];
    },
    true,
  );
  await tx.query("SELECT 1");
  await new Promise(setImmediate);
  tx.conclude();
  void Promise.resolve().then(() => tx.query("UPDATE"));
  await new Promise(setImmediate);
  assert.deepEqual(writes, [2, 2], "BEGIN and SELECT, UPDATE and COMMIT");
  await commit();
  assert.deepEqual(writes, [2, 2]);
});
