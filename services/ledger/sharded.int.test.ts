import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { PlaceHoldRequestSchema, ReceiveTransferRequestSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { newUuid, openDatabase } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import { createMemoryBus, deadLetterTopic, writeHeaders } from "@ferry/platform/events";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { createListAccounts } from "./app/list-accounts.ts";
import { spreadAccountStore } from "./app/spread-accounts.ts";
import { commandsTopic } from "./consumers/commands.ts";
import { openShards } from "./shards.ts";
import { createTestLedger, credit, hold, ledgerTemplate, settle } from "./store/test-ledger.ts";
import {
  assertShardsHold,
  atRest,
  createShardDatabases,
  eventually,
  idIn,
  letWait,
  type Mode,
  startSharded,
  type TestShards,
} from "./testing/sharded.ts";

let ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function start(count: number, mode: Mode): Promise<TestShards> {
  const ledger = await startSharded(count, mode);
  ends.push(ledger.end);
  return ledger;
}

/** An account that lies in a given shard. */
async function openIn(ledger: TestShards, position: number, balance = 0n) {
  const account = await ledger.open(idIn(ledger, position), newUuid());
  if (balance > 0n) assert.deepEqual(await ledger.send(credit(account.id, balance)), [undefined]);
  return { ...account, ownerId: account.ownerId! };
}

test("two-phase: the payee has the money when the settle is answered, and no transit account is used", async () => {
  const ledger = await start(2, "two-phase");
  const [payer, payee] = [await openIn(ledger, 0, 100n), await openIn(ledger, 1)];
  const back = [await openIn(ledger, 1, 100n), await openIn(ledger, 0)] as const;
  const [there, home] = [hold(payer, 60n, payee.id), hold(back[0], 50n, back[1].id)];
  assert.deepEqual(await ledger.send(there, home), [undefined, undefined]);
  assert.deepEqual(await ledger.send(settle(there), settle(home)), [undefined, undefined]);
  assert.deepEqual(
    [(await ledger.find(payee.id)).balanceMinor, (await ledger.find(back[1].id)).balanceMinor],
    [60n, 50n],
  );
  for (const db of ledger.databases)
    assert.deepEqual(await db.query("SELECT id FROM account WHERE kind = 'transit'"), []);
  assert.equal(ledger.coordinator?.stats().committed, 2);
  await assertShardsHold(ledger.databases);
});

test("two-phase: sets in all directions at once neither deadlock over databases nor lose money", async () => {
  const ledger = await start(3, "two-phase");
  letWait(ledger);
  const accounts = await Promise.all([0, 1, 2, 0, 1, 2].map((position) => openIn(ledger, position, 1_000n)));
  const sets = Array.from({ length: 30 }, (_, index) => {
    const [from, to] = [accounts[index % 6]!, accounts[(index * 5 + 1) % 6]!];
    const holds = from === to ? [] : [1n, 2n].map((amount) => hold(from, amount, to.id));
    return [...holds, ...holds.map(settle)];
  });
  const answers = await Promise.all(sets.map((set) => ledger.send(...set)));
  assert.deepEqual(new Set(answers.flat()), new Set([undefined]));
  await assertShardsHold(ledger.databases);
});

test("clearing: a hand-over that comes again is booked once, and one that nobody can take goes to suspense", async () => {
  const ledger = await start(2, "clearing");
  const [payer, payee] = [await openIn(ledger, 0, 100n), await openIn(ledger, 1)];
  const paid = hold(payer, 60n, payee.id);
  assert.deepEqual(await ledger.send(paid, settle(paid)), [undefined, undefined]);
  await atRest(ledger);
  const isHandOver = ({ headers }: { headers: { ce_type?: string } }) =>
    headers.ce_type === "ferry.ledger.v1.ReceiveTransferRequest";
  const [sent] = ledger.bus.records(commandsTopic).filter(isHandOver);
  assert.equal(sent?.key, payee.id);
  const again = { topic: commandsTopic, key: sent.key, value: sent.value!, headers: sent.headers };
  const nobody = create(ReceiveTransferRequestSchema, {
    ...{ reference: newUuid(), accountId: newUuid(), fromShard: 0 },
    amount: { currency: "EUR", minorUnits: 5n },
  });
  const headers = { ...sent.headers, ce_id: newUuid() };
  const lost = { ...again, key: nobody.accountId, value: toBinary(ReceiveTransferRequestSchema, nobody), headers };
  const other = create(ReceiveTransferRequestSchema, {
    ...{ reference: paid.transferId, accountId: payee.id, fromShard: 0 },
    amount: { currency: "EUR", minorUnits: 61n },
  });
  const forged = {
    ...again,
    value: toBinary(ReceiveTransferRequestSchema, other),
    headers: { ...headers, ce_id: newUuid() },
  };
  await ledger.bus.publish([again, forged, again, lost]);
  const find = async (text: string) => {
    const rows = await Promise.all(ledger.databases.map((db) => db.query<{ balance: bigint }>(text)));
    return rows.flat().reduce((sum, { balance }) => sum + balance, 0n);
  };
  await eventually(
    "suspense has it",
    async () => (await find("SELECT balance FROM account WHERE kind = 'suspense'")) === 5n,
  );
  assert.equal((await ledger.find(payee.id)).balanceMinor, 60n);
  await eventually(
    "what says something else is buried",
    async () => ledger.bus.records(deadLetterTopic(commandsTopic)).length === 1,
  );
  assert.equal(await find("SELECT count(*) AS balance FROM arrival"), 2n);
});

/** Takes an account as a transaction does whose coordinator has died. */
async function linger(ledger: TestShards, id: string) {
  const { database } = ledger.shards[ledger.shardOf(id)]!;
  const preparable = openDatabase({ url: await urlOf(database), ...PATIENT });
  const open = await preparable.begin();
  await open.tx.query("SELECT FROM account WHERE id = $1 FOR NO KEY UPDATE", [id]);
  await open.tx.query("UPDATE account SET version = version WHERE id = $1", [id]);
  const name = `somebody:${id}`;
  await open.prepare(name);
  open.settled(false);
  return async () => {
    await preparable.endPrepared(name, "rollback");
    await preparable.close();
  };
}

async function urlOf(database: TestShards["databases"][0]): Promise<string> {
  const [row] = await database.query<{ name: string }>("SELECT current_database() AS name");
  return Object.assign(new URL(process.env.FERRY_TEST_DATABASE_URL!), { pathname: `/${row!.name}` }).href;
}

test("whoever needs an account that a prepared transaction has is told to try again; others go on, also their messages", async () => {
  const ledger = await start(2, "two-phase");
  const [taken, free] = [await openIn(ledger, 0, 100n), await openIn(ledger, 0, 100n)];
  const release = await linger(ledger, taken.id);
  await assert.rejects(
    ledger.send(hold(taken, 1n)),
    (error: FerryError) => error.reason === "ACCOUNT_BUSY" && error.retryable,
  );
  // What came in one set with it is carried out all the same.
  const together = [hold(taken, 1n), hold(free, 7n)];
  await assert.rejects(ledger.send(...together), (error: FerryError) => error.reason === "ACCOUNT_BUSY");
  assert.equal((await ledger.find(free.id)).heldMinor, 7n);

  const replyTo = "ferry.transfer.replies.v1";
  const ask = (account: typeof taken) => {
    const { transferId, sourceAccountId, payerMemberId } = hold(account, 5n);
    const amount = { currency: "EUR", minorUnits: 5n };
    const message = create(PlaceHoldRequestSchema, { transferId, sourceAccountId, payerMemberId, amount });
    const headers = {
      id: newUuid(),
      type: PlaceHoldRequestSchema.typeName,
      source: "ferry/transfer",
      time: new Date(),
      replyTo,
    };
    return {
      topic: commandsTopic,
      key: sourceAccountId,
      value: toBinary(PlaceHoldRequestSchema, message),
      headers: writeHeaders(headers),
    };
  };
  const replies = () => ledger.bus.records(replyTo).length;
  // Its shard has a transaction prepared that holds the outbox's horizon; what was committed here leaves all the same.
  await ledger.bus.publish([ask(free)]);
  await eventually("the others are answered", async () => replies() === 1);

  await ledger.bus.publish([ask(taken)]);
  await release();
  await eventually("the set has tried again", async () => replies() === 2);
  assert.equal((await ledger.find(taken.id)).heldMinor, 5n);
});

test("a member's accounts are listed in one order over all shards", async () => {
  const ledger = await start(3, "clearing");
  const ownerId = newUuid();
  const ids = Array.from({ length: 12 }, (_, index) => idIn(ledger, index % 3));
  for (const id of ids) await ledger.open(id, ownerId);
  const store = spreadAccountStore({ shards: ledger.databases, shardOf: ledger.shardOf, store: ledger.store });
  const listAccounts = createListAccounts({ db: ledger.databases[0]!, store });
  const listed: string[] = [];
  let pageToken = "";
  do {
    const page = await listAccounts(ownerId, 5, pageToken);
    listed.push(...page.items.map(({ id }) => id));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  assert.deepEqual(listed, ids.toSorted());
  assert.deepEqual(new Set((await store.findAccounts(ledger.databases[0]!, ids)).keys()), new Set(ids));
});

test("databases that do not fit the configuration are a clear error at the start", async () => {
  const made = await createShardDatabases(3);
  ends.push(() => made.drop());
  const bus = createMemoryBus();
  const database = openDatabase({ url: made.home, ...PATIENT });
  const begin = async (shards: string[], options: { sharedCluster?: "refuse"; crossShard?: Mode } = {}) => {
    const config = {
      shards,
      crossShard: "clearing",
      sharedCluster: "allow",
      databaseConnections: 2,
      ...options,
    } as const;
    const { components, shardOf } = openShards({ config, database, bus, logger });
    const [places] = components;
    try {
      await places!.start?.();
      return new Set(Array.from({ length: 200 }, () => shardOf(newUuid())));
    } finally {
      await places!.stop?.();
    }
  };
  const [one, two, three] = made.shards as [string, string, string];
  assert.deepEqual(await begin([one, two]), new Set([0, 1]));
  assert.deepEqual(await begin([one, two]), new Set([0, 1]));
  await assert.rejects(begin([two, one]), /the order has changed/);
  await assert.rejects(begin([one]), /a database is left out/);
  // A new one waits for buckets.
  assert.deepEqual(await begin([one, two, three]), new Set([0, 1]));
  const others = await createShardDatabases(1);
  ends.push(() => others.drop());
  await begin(others.shards);
  await assert.rejects(begin([one, others.shards[0]!]), /another ledger/);
  await assert.rejects(
    begin([one, two, three], { sharedCluster: "refuse", crossShard: "two-phase" }),
    /server of their own/,
  );
  const old = createTestLedger(await createTestDatabase(ledgerTemplate));
  ends.push(() => old.close());
  await old.open(5n);
  await assert.rejects(begin([await urlOf(old.database)]), /ledger of one database/);
  await database.close();
  await bus.close();
});
