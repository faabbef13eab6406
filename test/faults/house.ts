// Transfer, ledger and banking in one process on real databases and the real bank, with the bus in memory: for
// faults that need all three, and no processes. Each part's way to its database and bank can be another's, as a proxy's.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { AccountState, LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { MemberService, MemberState } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import { type CreateTransferRequestSchema, TransferService } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { type Bus, createMemoryBus, type MemoryBus } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { createRpcClient, createRpcServer, openChannel } from "@ferry/platform/rpc";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { startBank } from "../../local/bank/server.ts";
import * as banking from "../../services/banking/service.ts";
import { createLedgerService } from "../../services/ledger/service.ts";
import { ledgerMigrations } from "../../services/ledger/store/migrations.ts";
import { assertBooksHold, createTestLedger } from "../../services/ledger/store/test-ledger.ts";
import * as transfer from "../../services/transfer/service.ts";
import { bePatient, PATIENT } from "../support/patient.ts";
import { waitFor } from "../support/platform.ts";
import { createTestDatabase } from "../support/postgres.ts";

// Hundreds of requests at once take their time on a busy machine.
bePatient(TransferService, ParkedSagaService);

const MIGRATIONS = { transfer: transfer.migrations, ledger: [ledgerMigrations], banking: banking.migrations };
type Name = keyof typeof MIGRATIONS;
const BUILD = { service: "transfer", version: "0", commit: "none", buildTime: "none" };
/** For an answer of the bank: a busy machine answers within it. Late is later, and silence is longer still. */
const BANK_TIMEOUT_MS = 1_000;
const TIMEOUTS = { lateMs: 2_000, silentMs: 5_000 };

export interface HouseOptions {
  /** The way to a part's database, when it is not the direct one. */
  databaseUrl?(name: Name, url: string): string;
  bankUrl?(url: string): string | Promise<string>;
  /** What stands between a part and the bus. */
  busOf?(name: Name, bus: MemoryBus): Bus;
  parkAfterMs?: number;
  bankTimeoutMs?: number;
  databaseConnections?: number;
}

async function makeDatabases() {
  const made = async (name: Name) => {
    const run = (url: string) => migrate(url, [outboxMigrations, ...MIGRATIONS[name]]);
    return [name, await createTestDatabase({ name: `house_${name}`, run })] as const;
  };
  const all = await Promise.all((Object.keys(MIGRATIONS) as Name[]).map(made));
  return Object.fromEntries(all) as Record<Name, Awaited<ReturnType<typeof createTestDatabase>>>;
}

/** What member and ledger say to transfer: everybody is a member, and accounts are what the ledger's table says. */
function neighborsOf(ledger: Database) {
  const transport = createRouterTransport(({ service }) => {
    service(MemberService, {
      batchGetMemberStates: ({ memberIds }) => ({
        states: Object.fromEntries(memberIds.map((id) => [id, MemberState.ACTIVE])),
      }),
    });
    service(LedgerService, {
      async batchGetAccountFacts({ accountIds }) {
        const rows = await ledger.query<{ id: string; owner_id: string; currency: string }>(
          "SELECT id, owner_id, currency FROM account WHERE id = ANY ($1::uuid[])",
          [accountIds],
        );
        const facts = rows.map(({ id, owner_id: ownerId, currency }) => [
          id,
          { ownerId, currency, state: AccountState.OPEN },
        ]);
        return { accounts: Object.fromEntries(facts) };
      },
    });
  });
  return { members: createClient(MemberService, transport), ledger: createClient(LedgerService, transport) };
}

const authenticator = {
  authenticate(authorization = "") {
    const [kind, id = ""] = authorization.split(" ");
    if (kind !== "member" && kind !== "operator") throw new FerryError("UNAUTHENTICATED", "no credentials");
    const scopes = new Set(["transfers:read", "transfers:write", "operations:read", "operations:write"]);
    return { kind, id, scopes, expiresAt: Number.MAX_SAFE_INTEGER } as const;
  },
  isSuspended: () => false,
};

/** Starts the house. `stop` takes everything of it away. */
export async function startHouse(options: HouseOptions = {}) {
  const {
    databaseUrl = (_, url) => url,
    busOf = (_, whole) => whole,
    databaseConnections: maxConnections = 8,
  } = options;
  const databases = await makeDatabases();
  const directory = await mkdtemp(join(tmpdir(), "ferry-house-"));
  const bank = await startBank({ directory, port: 0, timeouts: TIMEOUTS });
  const direct = `http://127.0.0.1:${bank.port}`;
  const bankUrl = (await options.bankUrl?.(direct)) ?? direct;
  const bus = createMemoryBus();
  const open = (name: Name) =>
    openDatabase({ url: databaseUrl(name, databases[name].url), maxConnections, ...PATIENT });
  const own = { transfer: open("transfer"), ledger: open("ledger"), banking: open("banking") };
  const parts = (name: Name) => {
    const [database, ownBus] = [own[name], busOf(name, bus)];
    return {
      database,
      bus: ownBus,
      logger,
      outbox: createOutbox({ database, bus: ownBus, source: `ferry/${name}`, logger }),
    };
  };
  const ledgerParts = parts("ledger");
  const bankingParts = parts("banking");
  const transferParts = parts("transfer");
  const testLedger = createTestLedger({ url: databases.ledger.url, drop: () => databases.ledger.drop() });
  const config = { bankCode: "081", bankTimeoutMs: options.bankTimeoutMs ?? BANK_TIMEOUT_MS, bankConnections: 32 };
  const services = [
    createLedgerService(ledgerParts),
    banking.createBankingService({
      ...bankingParts,
      config: { ...config, bankUrl },
    }),
    transfer.createTransferService({
      ...{ ...transferParts, ...neighborsOf(testLedger.database) },
      config: { parkAfterMs: options.parkAfterMs ?? 60_000 },
    }),
  ];
  const routes = services[2]!.routes;
  const server = createRpcServer({ service: "transfer", port: 0, routes, authenticator, logger, build: BUILD });
  const outboxes = [ledgerParts.outbox, bankingParts.outbox, transferParts.outbox];
  const components: Component[] = [...outboxes, server, ...services.flatMap((service) => service.components)];
  for (const component of components) await component.start?.();
  const channel = openChannel({ url: `http://127.0.0.1:${server.port}`, audience: "transfer", logger, ...PATIENT });
  const client = createRpcClient(TransferService, channel);
  const rows = async (ids: readonly string[]) =>
    own.transfer.query<{ id: string; state: string }>("SELECT id, state FROM transfer WHERE id = ANY ($1::uuid[])", [
      ids,
    ]);

  return {
    ...{ bus, client, databases: own, urls: databases, bankControl: `http://127.0.0.1:${bank.controlPort}` },
    operators: createRpcClient(ParkedSagaService, channel),
    outboxes: { ledger: ledgerParts.outbox, banking: bankingParts.outbox, transfer: transferParts.outbox },
    /** Opens an account with that much on it; money that nobody brought, so its clearing account is in debt. */
    open: (balanceMinor: bigint) => testLedger.open(balanceMinor),
    /** Asks for a transfer to a bank account, whose last digits say how the bank behaves. */
    send(
      payer: { id: string; ownerId?: string },
      digits: string,
      amountMinor: bigint,
      { key = newUuid(), waitSeconds = 0 } = {},
    ) {
      const bankAccount = { bankCode: "081", accountNumber: `220000${digits}` };
      const prefer: Record<string, string> = waitSeconds === 0 ? {} : { prefer: `wait=${waitSeconds}` };
      const request: MessageInitShape<typeof CreateTransferRequestSchema> = {
        sourceAccountId: payer.id,
        destination: { kind: { case: "bankAccount", value: bankAccount } },
        amount: { currency: "EUR", minorUnits: amountMinor },
      };
      const headers = { authorization: `member ${payer.ownerId}`, "idempotency-key": key, ...prefer };
      return client.createTransfer(request, { headers });
    },
    /** Waits until transfers have ended; gives how many are in which state. */
    async ended(ids: readonly string[], timeoutMs = 60_000): Promise<Record<string, number>> {
      const over = new Set(["COMPLETED", "FAILED", "CANCELED", "PARKED"]);
      const found = await waitFor(
        `${ids.length} transfers to end`,
        async () => {
          const all = await rows(ids).catch(() => []);
          return all.length === new Set(ids).size && all.every(({ state }) => over.has(state)) ? all : undefined;
        },
        timeoutMs,
      );
      return Object.fromEntries(
        Map.groupBy(found, ({ state }) => state)
          .entries()
          .map(([state, all]) => [state, all.length]),
      );
    },
    /** Waits until every transfer that there is has ended. */
    async rest(timeoutMs = 60_000): Promise<void> {
      const left = "SELECT id FROM transfer WHERE state NOT IN ('COMPLETED', 'FAILED', 'CANCELED', 'PARKED')";
      const look = async () => (await own.transfer.query(left).catch(() => [1])).length === 0;
      await waitFor("all transfers to end", look, timeoutMs);
    },
    /** The ledger's books hold, nothing is held but for what is parked, and the bank did what completed, once, and nothing else. */
    async expectMoneyRight(): Promise<void> {
      await assertBooksHold(testLedger.database);
      const all = await own.transfer.query<{ id: string; state: string }>("SELECT id, state FROM transfer");
      const completed = all.filter(({ state }) => state === "COMPLETED").map(({ id }) => id);
      const parked = all.filter(({ state }) => state === "PARKED").map(({ id }) => id);
      const held = await testLedger.database.query<{ id: string }>(
        "SELECT transfer_id AS id FROM hold WHERE state = 'held'",
      );
      assert.deepEqual(
        held.map(({ id }) => id).filter((id) => !parked.includes(id)),
        [],
        "a hold is left open",
      );
      const settled = await testLedger.database.query<{ id: string }>(
        "SELECT reference AS id FROM entry WHERE leg = 'transfer-from'",
      );
      assert.deepEqual(settled.map(({ id }) => id).sort(), completed.toSorted(), "settled is not completed");
      const response = await fetch(`http://127.0.0.1:${bank.controlPort}/v1/records?limit=10000`);
      const { records } = (await response.json()) as { records: { reference: string; status: string }[] };
      const done = records.filter(({ status }) => status === "done").map(({ reference }) => reference);
      assert.deepEqual(
        done.filter((id) => !parked.includes(id)).sort(),
        completed.toSorted(),
        "the bank's payments are not the completed transfers",
      );
    },
    async stop() {
      channel.close();
      for (const component of components.toReversed()) await component.stop?.();
      await bus.close();
      for (const database of Object.values(own)) await database.close();
      await testLedger.close();
      await databases.transfer.drop();
      await databases.banking.drop();
      await bank.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export type House = Awaited<ReturnType<typeof startHouse>>;
