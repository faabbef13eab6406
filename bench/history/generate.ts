import { setTimeout as pause } from "node:timers/promises";
import { openDatabase } from "@ferry/platform/db";
import { EdgeCaller, toAccount, toBank } from "../../test/support/client.ts";
import type { DriverSetUp } from "../driver/protocol.ts";
import type { BenchPlatform } from "../platform.ts";
import { type Copy, multiply, naming, type Replacement, writtenWithin } from "./multiply.ts";

/** A chunk of copies is one transaction. */
const CHUNK_TIMEOUT_MS = 120_000;
/** With the day before now, within the 30 days for which sagas are kept after their end. */
const HISTORY_DAYS = 28;
const AMOUNT = "1";
/** Its last messages are written a moment after its end is told. */
const SETTLING_MS = 500;

interface Template {
  id: string;
  memberId: string;
  /** When it was on its way, and nothing else was. */
  from: Date;
  to: Date;
}

interface Generation {
  databaseUrl: string;
  accounts: readonly string[];
  owners: readonly string[];
  count: number;
  log(line: string): void;
}

/** SQL for the id of transfer number i: as random as the real ones, which are hashes too. */
const historyId = (kind: string) => `md5('ferry-history-${kind}-' || i)::uuid`;

/** Times lie evenly in days of which the last is over. */
const timeOf = (count: number) =>
  `now() - interval '1 day' - interval '${HISTORY_DAYS} days' * (1 - i::float8 / ${count})`;

/** Number i is paid by account i to account i + 1, around and around: see balances below. */
const payer = (parameter: string, count: number) => `(${parameter})[1 + i % ${count}]`;
const payee = (parameter: string, count: number) => `(${parameter})[1 + (i + 1) % ${count}]`;

/** Sends the transfers whose rows are copied, and waits for their end. */
async function sendTemplates(
  edgeUrl: string,
  { members, payers }: DriverSetUp,
): Promise<{ internal: Template; external: Template }> {
  const edge = new EdgeCaller(edgeUrl);
  const [from, to] = payers;
  const token = members[from!.member]!.accessToken;
  const memberId = (await edge.expect(200, "GET", "/v1/members/me", { token })).member.id as string;
  const send = async (body: Parameters<EdgeCaller["transfer"]>[1]): Promise<Template> => {
    const from = new Date();
    const { transfer } = (await edge.transfer(token, body, { waitSeconds: 20 })).body.data;
    if (transfer.state !== "TRANSFER_STATE_COMPLETED") throw new Error(`the template is ${JSON.stringify(transfer)}`);
    await pause(SETTLING_MS);
    return { id: transfer.id, memberId, from, to: new Date() };
  };
  return {
    internal: await send(toAccount(from!.accountId, to!.accountId, AMOUNT)),
    external: await send(toBank(from!.accountId, "2200001234", AMOUNT)),
  };
}

async function inDatabase<T>(
  { databaseUrl }: Generation,
  service: string,
  work: (database: ReturnType<typeof openDatabase>) => Promise<T>,
): Promise<T> {
  const url = new URL(databaseUrl);
  url.pathname = `/ferry_${service}`;
  const database = openDatabase({
    url: url.href,
    maxConnections: 1,
    transactionTimeoutMs: CHUNK_TIMEOUT_MS,
    name: "bench",
  });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Tables that services may do without; every other one must have rows of the template. */
const MAY_BE_EMPTY = new Set(["inbox", "outbox"]);

/** Copies what a template left in tables of a service, and leaves the tables as a quiet night would: vacuumed, with statistics. */
async function copyTables(generation: Generation, service: string, copies: readonly Copy[]): Promise<void> {
  const { count, log } = generation;
  await inDatabase(generation, service, async (database) => {
    for (const copy of copies) {
      const startedAt = Date.now();
      const rows = await multiply(database, copy, count);
      if (rows === 0 && !MAY_BE_EMPTY.has(copy.table))
        throw new Error(`a transfer left nothing in ${service}'s table ${copy.table}`);
      if (rows > 0)
        log(`  history: ${rows * count} rows more in ${service}.${copy.table}, ${Date.now() - startedAt} ms`);
    }
    await database.query("VACUUM (ANALYZE)");
  });
}

/**
 * What a transfer left in its service's inbox and outbox. The outbox's rows are given an old
 * transaction's number, since what is above the mark would be published.
 */
const messages = (template: Template, replacements: readonly Replacement[], values: readonly unknown[]): Copy[] => [
  { table: "inbox", template: naming("inbox", template.id), replacements, values },
  {
    table: "outbox",
    template: writtenWithin(template.from, template.to),
    replacements,
    values,
    columns: { xid: "'10'::xid8" },
  },
];

async function fillTransfer(
  generation: Generation,
  template: Template,
  replacements: readonly Replacement[],
): Promise<void> {
  const { accounts, owners, count } = generation;
  const values = [accounts, owners];
  const columns = { created_at: timeOf(count), updated_at: timeOf(count) };
  const copies = ["saga", "transfer"].map((table) => ({
    table,
    template: naming(table, template.id),
    replacements,
    values,
    columns,
  }));
  await copyTables(generation, "transfer", [...messages(template, replacements, values), ...copies]);
}

/** An account is as its last entry leaves it. */
const STAND_AT_LAST_ENTRY = `
  UPDATE account SET version = last.version, balance = last.balance_after
  FROM unnest($1::uuid[]) AS one (id) CROSS JOIN LATERAL (
    SELECT version, balance_after FROM entry WHERE account_id = one.id ORDER BY account_id, version DESC LIMIT 1
  ) AS last
  WHERE account.id = one.id`;

/**
 * Number i moves one minor unit from account i to account i + 1. So in each round every account pays
 * once and receives once: the first account pays before it receives, every other one receives first.
 * That gives each posting's place on its account and the balance after it without looking at others.
 */
async function fillLedger(
  generation: Generation,
  template: Template,
  replacements: readonly Replacement[],
): Promise<void> {
  const { accounts, owners, count } = generation;
  const size = accounts.length;
  const state = await inDatabase(generation, "ledger", (database) =>
    database.query<{ id: string; version: bigint; balance: bigint }>(
      "SELECT id, version, balance FROM account WHERE id = ANY($1::uuid[])",
      [accounts],
    ),
  );
  const byId = new Map(state.map((row) => [row.id, row]));
  const versions = accounts.map((id) => String(byId.get(id)!.version));
  const balances = accounts.map((id) => String(byId.get(id)!.balance));
  const pays = "t.leg = 'transfer-from'";
  const index = `(CASE WHEN ${pays} THEN i ELSE i + 1 END % ${size})`;
  const firstOfRound = `((${pays}) = (${index} = 0))`;
  const columns = {
    id: historyId("entry"),
    version: `($3::bigint[])[1 + ${index}] + 2 * (i / ${size}) + CASE WHEN ${firstOfRound} THEN 1 ELSE 2 END`,
    balance_after: `($4::bigint[])[1 + ${index}] + CASE WHEN NOT ${firstOfRound} THEN 0 WHEN ${pays} THEN -1 ELSE 1 END`,
    created_at: timeOf(count),
  };
  const values = [accounts, owners];
  const times = { created_at: timeOf(count), updated_at: timeOf(count) };
  const hold = { table: "hold", template: naming("hold", template.id), replacements, values, columns: times };
  const entry = {
    table: "entry",
    template: naming("entry", template.id),
    replacements,
    values: [...values, versions, balances],
    columns,
    followedBy: { text: STAND_AT_LAST_ENTRY, values: [accounts] },
  };
  await copyTables(generation, "ledger", [hold, entry, ...messages(template, replacements, values)]);
}

/** Banking's record of as many calls that ended. What the bank itself has of them would be all in its memory, so they are no transfers' of ours. */
async function fillBanking(generation: Generation, template: Template): Promise<void> {
  const replacements = [{ value: template.id, expression: historyId("call") }];
  const columns = { started_at: timeOf(generation.count) };
  const call = { table: "bank_call", template: naming("bank_call", template.id), replacements, columns };
  await copyTables(generation, "banking", [call, ...messages(template, replacements, [])]);
}

/**
 * Puts a history into the books of a platform that is at rest: completed transfers between the
 * members' accounts, with all that each leaves in the databases of transfer, ledger and banking. The
 * books hold all along: the services' auditors look at them meanwhile, and freeze what does not.
 *
 * @param atLeast transfers; made a multiple of the number of accounts. @returns how many there are more.
 */
export async function generateHistory(
  { platform }: BenchPlatform,
  setUp: DriverSetUp,
  atLeast: number,
  log: (line: string) => void,
): Promise<{ completed: number }> {
  const accounts = setUp.payers.map(({ accountId }) => accountId);
  const count = Math.ceil(atLeast / accounts.length) * accounts.length;
  const { internal, external } = await sendTemplates(platform.edge, setUp);
  const memberIds = await ownersOf(platform.databaseUrl, accounts);
  const generation: Generation = { databaseUrl: platform.databaseUrl, accounts, owners: memberIds, count, log };
  const size = accounts.length;
  const replacements: Replacement[] = [
    { value: internal.id, expression: historyId("transfer") },
    { value: accounts[0]!, expression: payer("$1::uuid[]", size) },
    { value: accounts[1]!, expression: payee("$1::uuid[]", size) },
    { value: internal.memberId, expression: payer("$2::uuid[]", size) },
  ];
  // What is to be in the ledger of a completed transfer is there first.
  const fillInternal = async () => {
    await fillLedger(generation, internal, replacements);
    await fillTransfer(generation, internal, replacements);
  };
  await Promise.all([fillInternal(), fillBanking(generation, external)]);
  await inDatabase(generation, "ledger", (database) => database.query("CHECKPOINT"));
  return { completed: count + 2 };
}

/** The owner of each account, in their order. */
async function ownersOf(databaseUrl: string, accounts: readonly string[]): Promise<string[]> {
  return inDatabase({ databaseUrl, accounts, owners: [], count: 0, log: () => {} }, "ledger", async (database) => {
    const rows = await database.query<{ id: string; owner_id: string }>(
      "SELECT id, owner_id FROM account WHERE id = ANY($1::uuid[])",
      [accounts],
    );
    const owners = new Map(rows.map((row) => [row.id, row.owner_id]));
    return accounts.map((id) => owners.get(id)!);
  });
}
