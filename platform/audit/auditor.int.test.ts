import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { AuditService } from "@ferry/gen/ferry/audit/v1/audit_pb.ts";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus, type MemoryBus } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { readMetrics, silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { type Auditor, createAuditor } from "./auditor.ts";
import { auditRoutes } from "./rpc.ts";
import { auditMigrations } from "./store.ts";
import type { AuditCheck, FoundBreach, FreezeAccounts } from "./types.ts";

const template = { name: "audit", run: (url: string) => migrate(url, [outboxMigrations, auditMigrations]) };
const ACCOUNT = "0190b2c4-0000-7000-8000-00000000000a";

let testDatabase: TestDatabase;
let database: Database;
let bus: MemoryBus;

before(async () => {
  testDatabase = await createTestDatabase(template);
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
  bus = createMemoryBus();
});
after(async () => {
  await bus.close();
  await database.close();
  await testDatabase.drop();
});
/** Stopped after their test, also where it fails: one that goes on keeps the file from its end. */
const made: Auditor[] = [];
afterEach(async () => {
  await Promise.all(made.splice(0).map((auditor) => auditor.stop()));
});
beforeEach(async () => {
  for (const table of ["audit_breach", "outbox"]) await database.query(`DELETE FROM ${table}`);
});

const breach = (subject: string): FoundBreach => ({
  ...{ subject, message: `something is wrong with ${subject}`, accounts: [ACCOUNT] },
  detail: { amount: 12_345_678_901_234_567_890n },
});

/** A check that finds what it is told, and counts its rounds in its cursor. */
function checkOf(found: () => FoundBreach[]): AuditCheck {
  return {
    ...{ name: "test", invariant: "I1", description: "What a test says." },
    run: async ({ cursor }) => ({
      cursor: { rounds: ((cursor as { rounds: number } | undefined)?.rounds ?? 0) + 1 },
      ...{ rows: 1, breaches: found() },
    }),
  };
}

function auditorOf(check: AuditCheck, freeze?: FreezeAccounts): Auditor {
  const outbox = createOutbox({ database, bus, source: "ferry/test", logger: silentLogger });
  const auditor = createAuditor({
    ...{ service: "test", database, outbox, logger: silentLogger, checks: [check], everyMs: 20 },
    ...(freeze === undefined ? {} : { freeze }),
  });
  made.push(auditor);
  return auditor;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const startedAtMs = Date.now(); !(await holds()); await new Promise(setImmediate))
    assert.ok(Date.now() - startedAtMs < 20_000, `waited too long until ${what}`);
}

test("of two instances one works, and the other takes over when it stops, from where it was", async () => {
  const [one, other] = [auditorOf(checkOf(() => [])), auditorOf(checkOf(() => []))];
  const rounds = async () => {
    const [row] = await database.query<{ position: { rounds: number } }>("SELECT position FROM audit_cursor");
    return row?.position.rounds ?? 0;
  };
  await one.start();
  await until("the first works", async () => one.isRunning() && (await rounds()) > 0);
  await other.start();
  assert.equal(other.isRunning(), false);
  await one.stop();
  const before = await rounds();
  await until("the second works", () => other.isRunning());
  await until("it goes on", async () => (await rounds()) > before);
  await other.stop();
});

test("of two that write beside each other by mistake one is told that it is not the auditor", async () => {
  const both = Promise.withResolvers<void>();
  let begun = 0;
  const auditorThatFinds = (subject: string) => {
    const { run, ...check } = checkOf(() => [breach(subject)]);
    return auditorOf({
      ...check,
      async run(round) {
        if (++begun === 2) both.resolve();
        await both.promise; // Both have read where the check stands.
        return run(round);
      },
    });
  };
  const rounds = await Promise.allSettled(["one", "other"].map((name) => auditorThatFinds(name).runRound("test")));
  const refused = rounds.filter(({ status }) => status === "rejected");
  assert.deepEqual(
    refused.map((round) => String((round as PromiseRejectedResult).reason)),
    ["NotTheAuditor: another auditor is at work on this database"],
  );
  const written = await database.query("SELECT 1 FROM audit_breach");
  assert.equal(written.length, 1, "who is refused has written nothing");
});

test("a breach is recorded once, and its accounts are frozen, however often that has to be tried", async () => {
  let tries = 0;
  const auditor = auditorOf(
    checkOf(() => [breach("t1")]),
    async (ids) => {
      if (++tries < 3) throw new Error("the ledger is away");
      return ids;
    },
  );
  await assert.rejects(auditor.runRound("test"), /away/);
  await assert.rejects(auditor.runRound("test"), /away/);
  await auditor.runRound("test");
  await auditor.runRound("test");
  assert.equal(tries, 3);
  const rows = await database.query("SELECT subject, frozen::text[] FROM audit_breach");
  assert.deepEqual(rows, [{ subject: "t1", frozen: [ACCOUNT] }]);
  const events = await database.query("SELECT 1 FROM outbox");
  assert.equal(events.length, 1, "the event leaves with the breach, once");
  assert.equal(auditor.states()[0]?.figures.breaches, 1);
});

test("operators see how far it is, list breaches in pages, and ask the right service", async () => {
  const auditor = auditorOf(checkOf(() => ["a", "b", "c"].map(breach)));
  await auditor.runRound("test");
  const transport = createRouterTransport((router) => auditRoutes(router, auditor, database));
  const client = createClient(AuditService, transport);
  const { audit } = await client.getAudit({ service: "test" });
  assert.deepEqual([audit?.checks[0]?.name, audit?.checks[0]?.openBreaches, audit?.running], ["test", 3n, false]);
  await assert.rejects(client.getAudit({ service: "other" }));

  const first = await client.listBreaches({ service: "test", open: true, pageSize: 2 });
  const second = await client.listBreaches({
    ...{ service: "test", open: true, pageSize: 2, pageToken: first.nextPageToken },
  });
  const subjects = [...first.breaches, ...second.breaches].map(({ subject }) => subject);
  assert.deepEqual([subjects.toSorted(), second.nextPageToken], [["a", "b", "c"], ""]);
  assert.match(first.breaches[0]?.detail ?? "", /12345678901234567890/);
});

test("what waits is looked at again; once nothing waits, rounds do not ask for it any more", async (context) => {
  // An auditor rests for long after a round that took long: by a clock that stands still none does.
  context.mock.method(performance, "now", () => 0);
  const asked: string[] = [];
  const watched: Database = {
    ...database,
    query: <Row>(text: string, values?: readonly unknown[]) => {
      asked.push(text);
      return database.query<Row>(text, values);
    },
  };
  let rounds = 0;
  const seenAgain: string[] = [];
  const check: AuditCheck = {
    ...{ name: "test", invariant: "I1", description: "What a test says." },
    async run({ cursor, again }) {
      seenAgain.push(...again);
      return { cursor, rows: 0, breaches: [], waiting: ++rounds === 1 ? ["late"] : [] };
    },
  };
  const outbox = createOutbox({ database, bus, source: "ferry/test", logger: silentLogger });
  const auditor = createAuditor({
    ...{ service: "test", database: watched, outbox, logger: silentLogger, checks: [check], everyMs: 5 },
  });
  made.push(auditor);
  await auditor.start();
  const makeDue = "UPDATE audit_waiting SET look_at = now() WHERE subject = 'late' RETURNING 1";
  await until("it waits", async () => (await database.query(makeDue)).length === 1);
  await until("it is looked at again", () => seenAgain.length > 0);
  const asks = () => asked.filter((text) => text.includes("audit_waiting")).length;
  await until("it is not asked for any more", async () => {
    const [askedBefore, roundsBefore] = [asks(), rounds];
    await until("five more rounds", () => rounds >= roundsBefore + 5);
    return asks() === askedBefore;
  });
  assert.deepEqual(new Set(seenAgain), new Set(["late"]));
  assert.deepEqual(await database.query("SELECT 1 FROM audit_waiting"), []);
  await auditor.stop();
});

test("operators see when the last round was, also of rounds that found nothing and are not written", async () => {
  const auditor = auditorOf({
    ...{ name: "test", invariant: "I1", description: "What a test says." },
    run: async ({ cursor }) => ({ cursor, rows: 0, breaches: [] }),
  });
  const transport = createRouterTransport((router) => auditRoutes(router, auditor, database));
  const client = createClient(AuditService, transport);
  const readCursor = async () => {
    const [row] = await database.query<{ revision: bigint }>("SELECT revision FROM audit_cursor");
    return row?.revision;
  };
  const roundAtMs = async () => {
    await auditor.runRound("test");
    const { audit } = await client.getAudit({ service: "test" });
    return timestampMs(audit!.checks[0]!.roundTime!);
  };
  const first = await roundAtMs();
  const written = await readCursor();
  await until("a later round is seen", async () => (await roundAtMs()) > first);
  assert.equal(await readCursor(), written);
});

test("the metrics show open breaches as the database has them", async () => {
  const auditor = auditorOf(checkOf(() => [breach("m")]));
  await auditor.start();
  await until("it is shown", async () =>
    /ferry_audit_breaches\{service="test",check="test"\} 1/.test(await readMetrics()),
  );
  await database.query(
    "UPDATE audit_breach SET acknowledged_at = now(), acknowledged_by = 'op', acknowledge_reason = 'seen'",
  );
  await until("it is taken note of", async () =>
    /ferry_audit_breaches\{service="test",check="test"\} 0/.test(await readMetrics()),
  );
  await auditor.stop();
  assert.doesNotMatch(await readMetrics(), /ferry_audit_breaches\{/);
});

test("accounts that cannot be frozen do not keep those of other breaches from it, and are tried again", async () => {
  const bad = newUuid();
  const good = Array.from({ length: 45 }, () => newUuid());
  const breaches = [bad, ...good].map((account) => ({
    ...{ subject: account, message: "a test says so", detail: {}, accounts: [account] },
  }));
  let broken = true;
  const frozen = new Set<string>();
  const one = auditorOf(
    checkOf(() => breaches),
    async (accounts) => {
      if (broken && accounts.includes(bad)) throw new Error("that one not");
      for (const each of accounts) frozen.add(each);
      return [...accounts];
    },
  );
  for (let round = 0; frozen.size < good.length; round++) {
    assert.ok(round < 10, `${frozen.size} are frozen`);
    await one.runRound("test").catch((error) => assert.match(String(error), /that one not/));
  }
  assert.ok(!frozen.has(bad));
  broken = false;
  for (let round = 0; !frozen.has(bad); round++) {
    assert.ok(round < 5, "it is not tried again");
    await one.runRound("test").catch(() => {});
  }
});
