// F25: a disk that is full, under the database and under the broker's log. It needs a small disk of its own, which
// only a privileged user of Linux can mount; elsewhere the tests say that they did not run.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openDatabase } from "@ferry/platform/db";
import { type FerryError, fromUnknown } from "@ferry/platform/errors";
import { createKafkaBus } from "@ferry/platform/events";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { localPostgresUrl } from "../../local/postgres/server.ts";
import { findOffset, waitFor } from "../support/platform.ts";

const REPOSITORY = join(import.meta.dirname, "../..");

/** Whether a small disk can be mounted here. */
function canMount(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), "ferry-mount-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", folder], { stdio: "ignore" });
    execFileSync("umount", [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const skip = canMount() ? false : "no small disk can be mounted here";

function smallDisk(context: TestContext, megabytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), "ferry-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=755`, "none", folder]);
  chmodSync(folder, 0o755);
  context.after(() => {
    execFileSync("umount", ["--lazy", folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Fills the disk but for so many bytes. @returns gives the space back. */
function fill(disk: string, but: number): () => void {
  const file = join(disk, "filler");
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(file, Buffer.alloc(Math.max(0, bavail * bsize - but)));
  return () => truncateSync(file);
}

/** A process of the launcher's, started again when it ends, as the launcher does. */
function keep(name: "broker" | "postgres", environment: Record<string, string>) {
  let child: ChildProcess;
  let stopping = false;
  let ended: Promise<unknown> = Promise.resolve();
  function start(): void {
    const entry = join(REPOSITORY, `local/${name}/main.ts`);
    child = spawn(process.execPath, [entry], { env: { ...process.env, ...environment }, stdio: "ignore" });
    ended = once(child, "exit").then(() => {
      if (!stopping) start();
    });
  }
  start();
  return async () => {
    stopping = true;
    child.kill("SIGTERM");
    await ended;
  };
}

const succeeds = (work: Promise<unknown>) =>
  work.then(
    () => true,
    () => false,
  );

test("F25 the database's disk is full: errors that say so, nothing half done, and it goes on when there is space", {
  skip,
}, async (context) => {
  const disk = smallDisk(context, 300);
  const port = 5433 + (await findOffset());
  const directory = join(disk, "postgres");
  mkdirSync(directory);
  const stop = keep("postgres", { FERRY_POSTGRES_PORT: String(port), FERRY_POSTGRES_DIR: directory });
  await waitFor("the password", () => existsSync(join(directory, "password")));
  const url = localPostgresUrl({ directory, port, database: "postgres" });
  const database = openDatabase({ url });
  try {
    const table = () => database.query("CREATE TABLE IF NOT EXISTS payment (id bigint PRIMARY KEY, memo text)");
    await waitFor("PostgreSQL", () => succeeds(table()));
    let next = 0;
    const add = () =>
      database.transaction(async (tx) => {
        const ids = Array.from({ length: 50 }, () => BigInt(next++));
        const memo = "(SELECT string_agg(md5(id::text || n), '') FROM generate_series(1, 60) AS n)";
        await tx.query(`INSERT INTO payment SELECT id, ${memo} FROM unnest($1::bigint[]) AS id`, [ids]);
      });
    await add();
    assert.ok(statfsSync(disk).blocks * statfsSync(disk).bsize < 2 ** 29, "the disk is a small one");
    const giveBack = fill(disk, 4 * 2 ** 20);
    let done = 1;
    let failure: FerryError | undefined;
    for (let attempt = 0; attempt < 1_000 && failure === undefined; attempt++)
      await add().then(
        () => done++,
        (error: unknown) => {
          failure = fromUnknown(error);
        },
      );
    assert.ok(failure !== undefined, "the fault did not bite");
    assert.equal(failure.reason, "UNAVAILABLE", String(failure.cause));
    giveBack();
    await waitFor("it to go on", () => succeeds(add()));
    const [row] = await database.query<{ n: bigint }>("SELECT count(*) AS n FROM payment");
    assert.equal(row!.n % 50n, 0n, "transactions are whole");
    assert.ok(row!.n >= BigInt((done + 1) * 50), "what was committed is there");
  } finally {
    await database.close();
    await stop();
  }
});

test("F25 the broker's disk is full: publishing fails cleanly, and what was acknowledged is there when there is space", {
  skip,
}, async (context) => {
  const disk = smallDisk(context, 24);
  const port = 9092 + (await findOffset());
  const stop = keep("broker", { FERRY_BROKER_PORT: String(port), FERRY_BROKER_DIR: join(disk, "broker") });
  const bus = createKafkaBus({ brokers: [`127.0.0.1:${port}`], clientId: "disk", logger, onFatal: () => {} });
  context.after(async () => {
    await bus.close();
    await stop();
  });
  const topic = "test.disk";
  const record = (number: number) => ({
    topic,
    key: "k",
    value: Buffer.alloc(20_000, number % 256),
    headers: { ce_id: String(number) },
  });
  await waitFor("the broker", () => succeeds(bus.publish([record(0)])));
  const acknowledged = new Set([0]);
  const giveBack = fill(disk, 2 ** 20);
  let failure: FerryError | undefined;
  for (let number = 1; number < 400 && failure === undefined; number++)
    await bus.publish([record(number)]).then(
      () => acknowledged.add(number),
      (error: FerryError) => {
        failure = error;
      },
    );
  assert.ok(failure !== undefined, "the fault did not bite");
  assert.deepEqual([failure.reason, failure.retryable], ["UNAVAILABLE", true], String(failure.cause));
  giveBack();
  await waitFor("it to go on", () => succeeds(bus.publish([record(1_000)])), 60_000);
  acknowledged.add(1_000);
  const seen = new Set<number>();
  const subscription = await bus.subscribe({
    ...{ group: "disk", topics: [topic] },
    handle: async (set) => {
      for (const { headers } of set) seen.add(Number(headers.ce_id));
    },
  });
  await waitFor("everything that was acknowledged", () => [...acknowledged].every((number) => seen.has(number)));
  await subscription.stop();
});
