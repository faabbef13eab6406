import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { on } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Database, newUuid } from "@ferry/platform/db";
import { createKafkaBus } from "@ferry/platform/events";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { startBroker } from "../../local/broker/server.ts";
import { credit } from "./store/test-ledger.ts";
import type { Work } from "./testing/shard-worker.ts";
import { assertShardsHold, createShardDatabases, type Mode, runSharded, underWay } from "./testing/sharded.ts";

const CRASHES = 2;
const TRANSFERS = 240;
const ACCOUNTS = 9;
const OPENING = 1_000_000n;

/** Ends what a test has begun, the last first. */
function endings(t: TestContext): (end: () => Promise<void>) => void {
  const ends: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const end of ends.toReversed()) await end();
  });
  return (end) => void ends.push(end);
}

/** Numbers from 0 to 1 that a seed gives: a failing run is the same again with its seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

type AtEnd = ReturnType<typeof endings>;

/**
 * Starts one, which ends with the test at the latest; gives what it says, word by word, and undefined when it has
 * ended. All is kept: two words may come at once.
 */
async function startWorker(
  work: Work,
  atEnd: AtEnd,
): Promise<{ child: ChildProcess; next(): Promise<string | undefined> }> {
  const child = fork(new URL("./testing/shard-worker.ts", import.meta.url), [JSON.stringify(work)]);
  atEnd(async () => void child.kill("SIGKILL"));
  const words = on(child, "message", { close: ["close"] });
  const next = async () => (await words.next()).value?.[0];
  assert.equal(await next(), "started");
  return { child, next };
}

/** Whether it got to the end of its list before it was killed. */
async function killAfter(work: Work, killAfterMs: number, atEnd: AtEnd): Promise<boolean> {
  const { next } = await startWorker({ ...work, killAfterMs }, atEnd);
  const isDone = (await next()) === "done";
  if (isDone) assert.equal(await next(), undefined);
  return isDone;
}

/** What is left in doubt, on the way, or to be published ends by itself, soon. */
async function comeToRest(databases: readonly Database[]): Promise<void> {
  for (const deadline = Date.now() + 40_000; ; await delay(50)) {
    const prepared = await Promise.all(
      databases.map((db) => db.query("SELECT FROM pg_prepared_xacts WHERE database = current_database()")),
    );
    if (prepared.flat().length === 0 && (await underWay(databases)) === 0n) return;
    assert.ok(Date.now() < deadline, `${prepared.flat().length} prepared, ${await underWay(databases)} under way`);
  }
}

for (const mode of ["two-phase", "clearing"] as const satisfies Mode[])
  for (const count of [2, 3])
    test(`${mode} over ${count}: killed with signal 9 again and again, every transfer is made once and no money is lost`, {
      timeout: 240_000,
    }, async (t) => {
      const seed = Math.floor(Math.random() * 2 ** 32);
      t.diagnostic(`seed ${seed}`);
      const random = randomFrom(seed);
      const atEnd = endings(t);
      const urls = await createShardDatabases(count);
      atEnd(() => urls.drop());
      // A broker of its own: what a killed worker has not said that it handled comes to nobody else.
      const directory = await mkdtemp(join(tmpdir(), "ferry-shards-"));
      const { port, close } = await startBroker({ directory, port: 0 });
      atEnd(() => close().then(() => rm(directory, { recursive: true, force: true })));
      const broker = `127.0.0.1:${port}`;
      const bus = createKafkaBus({ brokers: [broker], clientId: "test", logger });
      const setUp = await runSharded(urls, mode, bus);
      const accounts = Array.from({ length: ACCOUNTS }, () => ({ id: newUuid(), owner: newUuid() }));
      for (const { id, owner } of accounts) await setUp.open(id, owner);
      await setUp.send(...accounts.map(({ id }) => credit(id, OPENING)));
      await setUp.stop();

      const transfers = Array.from({ length: TRANSFERS }, () => {
        const from = Math.floor(random() * ACCOUNTS);
        const to = (from + 1 + Math.floor(random() * (ACCOUNTS - 1))) % ACCOUNTS;
        const amount = String(1 + Math.floor(random() * 100));
        const { id, owner } = accounts[from]!;
        return { id: newUuid(), from: id, owner, to: accounts[to]!.id, amount, isReleased: random() < 0.1 };
      });
      const work: Work = {
        urls: { home: urls.home, shards: urls.shards },
        mode,
        broker,
        transfers,
      };
      let early = 0;
      for (let crash = 0; crash < CRASHES; crash++) if (!(await killAfter(work, 20 + random() * 300, atEnd))) early++;
      assert.ok(early > 0, "a worker was killed in the middle of its list");
      const last = await startWorker(work, atEnd);
      assert.equal(await last.next(), "done");

      const ledger = await runSharded(urls, mode, bus);
      atEnd(async () => {
        await ledger.stop();
        await bus.close();
      });
      last.child.kill("SIGKILL");
      await comeToRest(ledger.databases);
      await assertShardsHold(ledger.databases);
      const expected = new Map(accounts.map(({ id }) => [id, OPENING]));
      for (const { from, to, amount, isReleased } of transfers) {
        if (isReleased) continue;
        expected.set(from, expected.get(from)! - BigInt(amount));
        expected.set(to, expected.get(to)! + BigInt(amount));
      }
      for (const [id, balance] of expected) {
        const { balanceMinor, heldMinor } = await ledger.find(id);
        assert.deepEqual([balanceMinor, heldMinor], [balance, 0n], id);
      }
    });
