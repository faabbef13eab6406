import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { newUuid, openDatabase } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import { PATIENT } from "../../test/support/patient.ts";
import { createPurses, dieAt as dieWith, move, POINTS, type Point, setAway, withPoints } from "./testing/purses.ts";
import type { Coordinator } from "./types.ts";

let purses: Awaited<ReturnType<typeof createPurses>>;
let started: ReturnType<typeof purses.coordinator>[] = [];
beforeEach(async () => {
  purses = await createPurses();
});
afterEach(async () => {
  for (const coordinator of started) await coordinator.stop();
  started = [];
  await purses.drop();
});

async function start(options: Parameters<typeof purses.coordinator>[0] = {}) {
  const coordinator = purses.coordinator(options);
  started.push(coordinator);
  await coordinator.start();
  return coordinator;
}

const because = (reason: string) => (error: FerryError) => error.reason === reason;

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 15_000; !(await holds()); await delay(5)) assert.ok(Date.now() < deadline, what);
}

/** A whole pass from now on: the round that a coordinator begins with may be at it, and have looked before. */
const recovered = (coordinator: Coordinator) => eventually("a pass of recovery", () => coordinator.recover());

const dieAt = (point: Point) => dieWith(purses.urls, point);

const isDecided = (point: Point) => POINTS.indexOf(point) >= POINTS.indexOf("decided");
/** On how many databases the transaction is prepared when the coordinator has died there. */
const preparedAt: Record<Point, number> = {
  ...{ begun: 0, "prepared-one": 1, prepared: 2, decided: 2, "committed-one": 1, committed: 0 },
};

test("all databases commit or none; one database alone commits in one phase", async () => {
  const coordinator = await start();
  await Promise.all(Array.from({ length: 20 }, () => move(coordinator)));
  await assert.rejects(
    move(coordinator, newUuid(), () => Promise.reject(new Error("on second thoughts"))),
    /on second thoughts/,
  );
  const twice = newUuid();
  await move(coordinator, twice);
  await assert.rejects(move(coordinator, twice), { code: "23505" });
  await coordinator.run(["purse-1"], async (transactions) => {
    await transactions.get("purse-1")!.query("UPDATE purse SET amount = amount + 1");
  });
  const { amounts, moved } = await purses.look();
  assert.deepEqual(amounts, [790, 1_211]);
  assert.deepEqual(moved[0], moved[1]);
  const { committed, onePhase, aborted, open } = coordinator.stats();
  assert.deepEqual([committed, onePhase, aborted, open], [21, 1, 2, 0]);
  assert.deepEqual(await coordinator.listInDoubt(), { transactions: [], unreachable: [] });
  await assert.rejects(
    coordinator.run(["purse-0", "purse-9"], async () => {}),
    /unknown/,
  );
});

test("as many as fill the pools wait for one prepared transaction: it can still be ended", async () => {
  const coordinator = await start({ maxOpen: 8 });
  const gate = Promise.withResolvers<void>();
  const first = move(coordinator, newUuid(), () => gate.promise);
  const others = Array.from({ length: 30 }, () => move(coordinator));
  const plain = Array.from({ length: 20 }, () =>
    purses.participants[0]!.database.query("UPDATE purse SET amount = amount + 0"),
  );
  await eventually("the pools are full", async () => coordinator.stats().open === 8);
  gate.resolve();
  await Promise.all([first, ...others, ...plain]);
  assert.equal(coordinator.stats().committed, 31);
});

test("hooks of the transactions run after the commit, and after a rollback only those of the end", async () => {
  const coordinator = await start();
  const heard: string[] = [];
  const listen = (isGood: boolean) =>
    coordinator.run(["purse-0", "purse-1"], async (transactions) => {
      for (const [name, tx] of transactions) {
        tx.afterCommit(() => heard.push(`committed ${name}`));
        tx.afterEnd(() => heard.push(`ended ${name}`));
        await tx.query("UPDATE purse SET amount = amount + 0");
      }
      if (!isGood) throw new Error("no");
    });
  await listen(true);
  assert.deepEqual(heard.splice(0).toSorted(), [
    ...["committed purse-0", "committed purse-1", "ended purse-0", "ended purse-1"],
  ]);
  await assert.rejects(listen(false), /no/);
  assert.deepEqual(heard.toSorted(), ["ended purse-0", "ended purse-1"]);
});

for (const point of POINTS)
  test(`a coordinator that is killed when it has ${point}: recovery ends it on all databases alike`, async () => {
    const id = await dieAt(point);
    // What is decided is committed at the start; what is not is left alone until it is old.
    const patient = await start({ abortAfterMs: 3_600_000 });
    const seen = async () => (await patient.listInDoubt()).transactions;
    if (isDecided(point)) await eventually("the start ends it", async () => (await seen()).length === 0);
    else
      assert.deepEqual(
        (await seen()).map(({ decision, preparedOn, participantCount }) => [decision, preparedOn, participantCount]),
        preparedAt[point] === 0 ? [] : [[undefined, ["purse-0", "purse-1"].slice(0, preparedAt[point]), 2]],
      );
    const coordinator = await start({ abortAfterMs: 0 });
    await recovered(coordinator);
    await eventually("nothing is in doubt", async () => (await coordinator.listInDoubt()).transactions.length === 0);
    const { amounts, moved } = await purses.look();
    assert.deepEqual(amounts, isDecided(point) ? [990, 1_010] : [1_000, 1_000]);
    assert.deepEqual(moved, isDecided(point) ? [[id], [id]] : [[], []]);

    // No lock is left, and the log forgets commits that have ended everywhere.
    await move(coordinator);
    await purses.log.query("UPDATE two_phase_decision SET decided_at = now() - interval '1 hour'");
    await recovered(coordinator);
    assert.deepEqual(await purses.log.query("SELECT * FROM two_phase_decision WHERE decision = 'commit'"), []);
  });

test("whoever waits for a prepared transaction's lock gives up in time, and goes on when it is recovered", async () => {
  await dieAt("prepared");
  const impatient = openDatabase({ url: purses.urls.purses[0]!, lockTimeoutMs: 100, ...PATIENT });
  await assert.rejects(impatient.query("UPDATE purse SET amount = amount + 1"), { code: "55P03" });
  const coordinator = await start({ abortAfterMs: 0 });
  await recovered(coordinator);
  await impatient.query("UPDATE purse SET amount = amount + 1");
  await impatient.close();
  assert.deepEqual((await purses.look()).amounts, [1_001, 1_000]);
});

test("recovery never touches what is not of its log, however old", async () => {
  const [{ database }] = purses.participants as [(typeof purses.participants)[0]];
  const foreign = [`ferry:purses:${newUuid()}:${newUuid()}:2`, `somebody:${newUuid()}`, `ferry:others:${newUuid()}:1`];
  for (const name of foreign) {
    const open = await database.begin();
    await open.tx.query("INSERT INTO moved VALUES ($1)", [newUuid()]);
    await open.prepare(name);
    open.settled(false);
  }
  const coordinator = await start({ abortAfterMs: 0 });
  await recovered(coordinator);
  assert.deepEqual((await coordinator.listInDoubt()).transactions, []);
  for (const name of foreign)
    assert.equal(await database.endPrepared(name, "rollback"), true, `${name} is still there`);
  assert.equal(await database.endPrepared(foreign[0]!, "rollback"), false);
});

test("two coordinators at once, one of which takes every transaction for abandoned: still all or none", async () => {
  let decisions = 0;
  const beaten = (id: unknown) =>
    eventually("the other decides", async () => {
      const decided = await purses.log.query("SELECT 1 FROM two_phase_decision WHERE id = $1", [id]);
      return decided.length > 0;
    });
  const log = {
    ...purses.log,
    // Every second decision comes late, so that it may be seen undecided, and the first too late, so that one surely is.
    async query<Row>(text: string, values?: readonly unknown[]) {
      if (values?.[1] === "commit" && decisions++ % 2 === 0) await (decisions === 1 ? beaten(values[0]) : delay(20));
      return purses.log.query<Row>(text, values);
    },
  };
  // One connection is left for the other, which has the same pools.
  const coordinator = await start({ maxOpen: 7, log });
  const hasty = await start({ abortAfterMs: 0, recoverEveryMs: 1 });
  const ids = Array.from({ length: 150 }, () => newUuid());
  let over = false;
  const rush = (async () => {
    while (!over) await hasty.recover();
  })();
  const ends = await Promise.allSettled(ids.map((id) => move(coordinator, id)));
  over = true;
  await rush;
  await recovered(hasty);
  const { amounts, moved } = await purses.look();
  const done = ids.filter((_, index) => ends[index]?.status === "fulfilled").toSorted();
  assert.deepEqual(moved, [done, done]);
  assert.deepEqual(amounts, [1_000 - 10 * done.length, 1_000 + 10 * done.length]);
  assert.ok(done.length > 0 && done.length < ids.length, `${done.length} of ${ids.length} were quicker`);
});

for (const point of POINTS.filter((one) => one !== "committed"))
  test(`a database that goes away when the coordinator has ${point}, and comes back: all or none`, async () => {
    const away = purses.urls.purses[1]!;
    const parts = withPoints(purses, (reached) => (reached === point ? setAway(away, true) : Promise.resolve()));
    const coordinator = await start({ ...parts, abortAfterMs: 0, recoverEveryMs: 200 });
    const [end] = await Promise.allSettled([move(coordinator)]);
    // Decided is decided: the caller hears it, and the database that is away hears it later.
    assert.equal(end.status, POINTS.indexOf(point) >= POINTS.indexOf("prepared") ? "fulfilled" : "rejected");
    if (end.status === "fulfilled") {
      assert.equal(coordinator.stats().unfinished, 1);
      assert.deepEqual((await coordinator.listInDoubt()).unreachable, ["purse-1"]);
    }
    await setAway(away, false);
    await eventually("nothing is in doubt", async () => {
      const { transactions, unreachable } = await coordinator.listInDoubt();
      return transactions.length + unreachable.length + coordinator.stats().unfinished === 0;
    });
    assert.deepEqual((await purses.look()).amounts, end.status === "fulfilled" ? [990, 1_010] : [1_000, 1_000]);
  });

test("a log that goes away before the decision: nothing is decided, and recovery rolls back", async () => {
  const parts = withPoints(purses, (reached) =>
    reached === "prepared" ? setAway(purses.urls.log, true) : Promise.resolve(),
  );
  const coordinator = await start({ ...parts, abortAfterMs: 0, recoverEveryMs: 200 });
  await assert.rejects(move(coordinator), because("UNAVAILABLE"));
  assert.equal(coordinator.stats().unknownOutcomes, 1);
  await setAway(purses.urls.log, false);
  await eventually("nothing is in doubt", async () => (await coordinator.listInDoubt()).transactions.length === 0);
  assert.deepEqual((await purses.look()).amounts, [1_000, 1_000]);
});

async function idOf(coordinator: Coordinator): Promise<string> {
  const { transactions } = await coordinator.listInDoubt();
  assert.equal(transactions.length, 1);
  return transactions[0]!.id;
}

test("an operator decides what is in doubt, once, and it is written down", async () => {
  // Its own recovery must not end beside the operator what they have just decided.
  const coordinator = await start({ abortAfterMs: 3_600_000, recoverEveryMs: 3_600_000 });
  const by = { operatorId: "operator-7", reason: "the coordinator's machine is gone" };
  await assert.rejects(coordinator.resolve(newUuid(), "abort", by), because("NOT_FOUND"));

  await dieAt("prepared-one");
  const half = await idOf(coordinator);
  await assert.rejects(coordinator.resolve(half, "commit", by), because("TRANSACTION_NOT_PREPARED"));
  const { preparedOn, decision } = await coordinator.resolve(half, "abort", by);
  assert.deepEqual([preparedOn, decision], [[], "abort"]);

  await dieAt("prepared");
  const whole = await idOf(coordinator);
  assert.equal((await coordinator.resolve(whole, "commit", by)).decision, "commit");
  assert.deepEqual((await purses.look()).amounts, [990, 1_010]);

  const audit = await purses.log.query(
    "SELECT transaction_id, operator_id, action, reason, before->'preparedOn' AS on FROM two_phase_audit ORDER BY at",
  );
  const written = { operator_id: by.operatorId, reason: by.reason };
  assert.deepEqual(audit, [
    { ...written, transaction_id: half, action: "abort", on: ["purse-0"] },
    { ...written, transaction_id: whole, action: "commit", on: ["purse-0", "purse-1"] },
  ]);
});

test("an operator cannot decide against the log", async () => {
  await dieAt("decided");
  let isAway = true;
  let refused = 0;
  const participants = purses.participants.map(({ name, database }) => {
    const endPrepared: typeof database.endPrepared = async (...args) => {
      if (!isAway) return database.endPrepared(...args);
      refused++;
      throw new Error("away");
    };
    return { name, database: { ...database, endPrepared } };
  });
  const coordinator = await start({ participants, recoverEveryMs: 3_600_000 });
  const id = await idOf(coordinator);
  const by = { operatorId: "operator-7", reason: "impatience" };
  await assert.rejects(coordinator.resolve(id, "abort", by), because("TRANSACTION_DECIDED"));
  // The round of the start does not end it beside the operator: it has tried, and there is no other for long.
  await eventually("the start has tried", async () => refused === participants.length);
  isAway = false;
  assert.deepEqual((await coordinator.resolve(id, "commit", by)).preparedOn, []);
  assert.deepEqual((await purses.look()).amounts, [990, 1_010]);
});

test("more than may be open wait for their turn, and more than may wait are refused", async () => {
  const coordinator = await start({ maxOpen: 1, maxWaiting: 1 });
  const gate = Promise.withResolvers<void>();
  const first = move(coordinator, newUuid(), () => gate.promise);
  const second = move(coordinator);
  await assert.rejects(move(coordinator), because("OVERLOADED"));
  assert.deepEqual([coordinator.stats().open, coordinator.stats().waiting], [1, 1]);
  gate.resolve();
  await Promise.all([first, second]);
});

test("a server that cannot hold transactions prepared is a clear error at the start", async () => {
  const [first, second] = purses.participants;
  const cannot = { ...second!.database, query: async <Row>() => [{ count: 0 }] as Row[] };
  const coordinator = purses.coordinator({ participants: [first!, { name: "purse-1", database: cannot }] });
  await assert.rejects(coordinator.start(), /max_prepared_transactions is 0 on purse-1/);
  await assert.rejects(move(coordinator), because("UNAVAILABLE"));
});
