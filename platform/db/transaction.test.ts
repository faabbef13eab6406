import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import type { Pipeline } from "./pipeline.ts";
import { beginTransaction } from "./transaction.ts";

/** The texts in what leaves: of each statement the message that has it parsed, "P", a length, a name and the text. */
function textsIn(message: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < message.length; at += 1 + message.readInt32BE(at + 1)) {
    const text = message.indexOf(0, at + 5) + 1;
    if (message[at] === "P".charCodeAt(0)) texts.push(message.toString("utf8", text, message.indexOf(0, text)));
  }
  return texts;
}

/** A connection that notes what leaves in each write, answers at once, and forgets each statement that it has parsed. */
function answeringClient() {
  const sent: string[][] = [];
  let texts: string[] = [];
  function write(message: Buffer): void {
    texts = textsIn(message);
    sent.push(texts);
  }
  function query(pipeline: Pipeline): void {
    const wire = { stream: { write }, parsedStatements: {}, submittedNamedStatements: {} };
    pipeline.submit(wire as unknown as pg.Connection);
    const failed = texts.indexOf("SELECT wrong");
    const answered = failed === -1 ? texts : texts.slice(0, failed);
    for (const text of answered) pipeline.handleCommandComplete({ text });
    if (failed === -1) pipeline.handleReadyForQuery();
    else pipeline.handleError(Object.assign(new pg.DatabaseError("wrong", 0, "error"), { code: "42703" }));
  }
  const client = { query, release: () => void sent.push(["released"]) } as unknown as pg.PoolClient;
  return { client, sent };
}
const turn = () => new Promise(setImmediate);

test("what is asked for in one turn leaves together, BEGIN with it, and what comes later by itself", async () => {
  const { client, sent } = answeringClient();
  const { tx, commit } = beginTransaction(client);
  const asked = [tx.query("one"), Promise.resolve().then(() => tx.query("two"))]; // As statements that follow on each other's promises.
  await turn();
  await Promise.all(asked);
  await tx.query("three");
  await commit();
  assert.deepEqual(sent, [["BEGIN", "one", "two"], ["three"], ["COMMIT"], ["released"]]);
});

test("a COMMIT that concludes leaves behind the last statements, whenever in the turn these are asked for", async () => {
  const { client, sent } = answeringClient();
  const { tx, commit } = beginTransaction(client, true);
  await tx.query("one");
  tx.conclude();
  void Promise.resolve().then(() => tx.query("two"));
  await turn();
  await commit();
  assert.deepEqual(sent, [["BEGIN", "one"], ["two", "COMMIT"], ["released"]]);
});

test("a COMMIT behind a statement that failed was not looked at: the transaction is taken back", async () => {
  const { client, sent } = answeringClient();
  const { tx, rollback, explain } = beginTransaction(client, true);
  const ends: string[] = [];
  tx.afterEnd((end) => ends.push(end));
  const asked = ["one", "SELECT wrong", "two"].map((text) => tx.query(text));
  tx.conclude();
  const [one, wrong, two] = await Promise.allSettled(asked);
  assert.equal(one?.status, "fulfilled");
  assert.ok(wrong?.status === "rejected" && two?.status === "rejected");
  assert.equal(explain(two.reason), wrong.reason, "the one that failed says why");
  await rollback();
  assert.deepEqual(sent, [["BEGIN", "one", "SELECT wrong", "two", "COMMIT"], ["ROLLBACK"], ["released"]]);
  assert.deepEqual(ends, ["rolled-back"]);
});

test("a statement that failed and that nobody heard of is heard of at the commit, also when it leaves with that", async () => {
  const { client, sent } = answeringClient();
  const { tx, commit, rollback } = beginTransaction(client);
  tx.query("SELECT wrong").catch(() => {});
  await assert.rejects(commit(), /nobody heard/);
  await rollback();
  assert.deepEqual(sent, [["BEGIN", "SELECT wrong", "COMMIT"], ["ROLLBACK"], ["released"]]);
});
