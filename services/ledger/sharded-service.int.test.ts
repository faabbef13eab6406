import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Client, ConnectError, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { AccountState, LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { InDoubtTransactionService } from "@ferry/gen/ferry/two_phase/v1/two_phase_pb.ts";
import { type Database, newUuid, openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { createMemoryBus } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import { callFacts } from "@ferry/platform/rpc";
import { PATIENT } from "../../test/support/patient.ts";
import { createLedgerService } from "./service.ts";
import { assertShardsHold, createShardDatabases, onceConnected } from "./testing/sharded.ts";

const bus = createMemoryBus();
const memberId = newUuid();
let made: Awaited<ReturnType<typeof createShardDatabases>>;
let home: Database;
let parts: readonly Component[];
let ledger: Client<typeof LedgerService>;
let doubts: Client<typeof InDoubtTransactionService>;

/**
 * Stands where the server's authentication and its mapping of errors do: everybody is one member. And for callers, who
 * try again when an account was taken for 1.5 s, or no connection was free for 2: the machine stood still, with others'
 * transactions open.
 */
const asMember: Interceptor = (next) => async (request) => {
  const principal = { kind: "member" as const, id: memberId, scopes: new Set<string>(), expiresAt: 0 };
  request.contextValues.set(callFacts, { principal, waitMs: 0 });
  for (let attempt = 1; ; attempt++)
    try {
      return await onceConnected(() => next(request));
    } catch (error) {
      if (error instanceof FerryError && error.reason === "ACCOUNT_BUSY" && attempt < 5) continue;
      throw error instanceof FerryError ? new ConnectError(error.reason, error.entry.grpcCode) : error;
    }
};

before(async () => {
  made = await createShardDatabases(3);
  home = openDatabase({ url: made.home, ...PATIENT });
  const outbox = { add: async () => {}, acknowledgedBelow: async () => 0n };
  const config = {
    shards: made.shards,
    crossShard: "two-phase",
    sharedCluster: "allow",
    databaseConnections: 4,
  } as const;
  const service = createLedgerService({ database: home, bus, outbox, config });
  const transport = createRouterTransport(service.routes, { router: { interceptors: [asMember] } });
  [ledger, doubts] = [createClient(LedgerService, transport), createClient(InDoubtTransactionService, transport)];
  await assert.rejects(ledger.getAccount({ accountId: newUuid() }), /UNAVAILABLE/);
  parts = service.components;
  for (const part of parts) await part.start?.();
});
after(async () => {
  for (const part of parts.toReversed()) await part.stop?.();
  await bus.close();
  await home.close();
  await made.drop();
});

const euros = (minorUnits: bigint) => ({ currency: "EUR", minorUnits });
const source = { bankCode: "081", accountNumber: "1100000001" };

test("over several databases every rpc answers as over one", async () => {
  const ids: string[] = [];
  for (let count = 0; count < 12; count++) {
    const { account } = await ledger.openAccount({ currency: "EUR" });
    ids.push(account!.id);
  }
  await Promise.all(
    ids.map((accountId) => ledger.creditAccount({ reference: newUuid(), accountId, amount: euros(100n), source })),
  );
  const { accounts } = await ledger.listAccounts({ pageSize: 200 });
  assert.deepEqual(
    accounts.map(({ id, balance }) => [id, balance?.minorUnits]),
    ids.toSorted().map((id) => [id, 100n]),
  );
  assert.deepEqual(
    new Set(Object.keys((await ledger.batchGetAccountFacts({ accountIds: ids })).accounts)),
    new Set(ids),
  );

  const transfers = ids.map((sourceAccountId, index) => {
    const destinationAccountId = ids[(index + 1) % ids.length]!;
    return {
      transferId: newUuid(),
      sourceAccountId,
      destinationAccountId,
      payerMemberId: memberId,
      amount: euros(30n),
    };
  });
  const placed = await Promise.all(transfers.map((transfer) => ledger.placeHold(transfer)));
  assert.deepEqual(new Set(placed.map(({ failure }) => failure)), new Set([undefined]));
  const settled = await Promise.all(
    transfers.map(({ transferId, sourceAccountId, destinationAccountId: value }) =>
      ledger.settleHold({ transferId, sourceAccountId, destination: { case: "destinationAccountId", value } }),
    ),
  );
  assert.deepEqual(new Set(settled.map(({ failure }) => failure)), new Set([undefined]));
  for (const accountId of ids) {
    const { account } = await ledger.getAccount({ accountId: accountId.toUpperCase() });
    assert.equal(account?.balance?.minorUnits, 100n);
    const { entries } = await ledger.listEntries({ accountId });
    assert.deepEqual(entries.map(({ amount }) => amount?.minorUnits).toSorted(), [-30n, 100n, 30n]);
  }
  assert.deepEqual((await doubts.listInDoubtTransactions({})).transactions, []);
});

test("accounts in all databases are frozen together, opened again, and closed where they lie", async () => {
  const { accounts } = await ledger.listAccounts({ pageSize: 200 });
  const accountIds = accounts.map(({ id }) => id);
  const frozen = await ledger.freezeAccounts({ accountIds, reason: "an alarm" });
  assert.deepEqual(frozen.accountIds.toSorted(), accountIds.toSorted());
  assert.equal((await ledger.getAccount({ accountId: accountIds[0]! })).account?.state, AccountState.FROZEN);
  const opened = await ledger.unfreezeAccounts({ accountIds, reason: "looked into" });
  assert.equal(opened.accountIds.length, accountIds.length);
  await assert.rejects(ledger.closeAccount({ accountId: accountIds[0]! }), /ACCOUNT_NOT_EMPTY/);
  const { account } = await ledger.openAccount({ currency: "EUR" });
  const closed = await ledger.closeAccount({ accountId: account!.id });
  assert.equal(closed.account?.state, AccountState.CLOSED);
  const databases = made.shards.map((url) => openDatabase({ url, maxConnections: 2, ...PATIENT }));
  await assertShardsHold(databases);
  for (const database of databases) await database.close();
});
