import { TransferCompletedSchema } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { checkBooks } from "../books/check.ts";
import type { BooksSources } from "../books/sources.ts";
import type { SimulatedBank } from "./bank.ts";
import type { Broker } from "./broker.ts";
import type { Clients } from "./clients.ts";
import { STORED, type WorldDatabases } from "./cluster.ts";
import type { Promises, Wish } from "./promises.ts";

export interface CheckedWorld {
  databases: WorldDatabases;
  bank: SimulatedBank;
  broker: Broker;
  promises: Promises;
  clients: Clients;
}

interface Row {
  id: string;
  state: string;
  member_id: string;
  amount: bigint;
  account: string;
  target: string;
}

const TRANSFERS = `SELECT id, state, member_id, amount_minor AS amount, source_account_id AS account,
  coalesce(destination_account_number, destination_account_id::text) AS target FROM transfer`;
const TOP_UPS = `SELECT id, state, member_id, amount_minor AS amount, account_id AS account, account_number AS target FROM top_up`;

const goalOf = ({ goal }: Wish) => (goal.kind === "bank" ? goal.accountNumber : goal.accountId);

/** Accounts at the bank to which nothing can ever be sent. */
const NEVER_PAID = /(9404|9409|9402|9999)$/;

/** I2, I3: what clients were promised is in the books, once, and as they were told. */
function checkPromises(wishes: readonly Wish[], rows: readonly Row[]): string[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const found: string[] = [];
  const known = new Set<string>();
  for (const wish of wishes) {
    const [id] = wish.ids;
    if (id === undefined) continue;
    known.add(id);
    const row = byId.get(id);
    if (row === undefined) {
      found.push(`I2: ${wish.kind} ${id} was acknowledged and is not recorded`);
      continue;
    }
    const same = row.member_id === wish.memberId && row.amount === wish.amountMinor && row.account === wish.accountId;
    if (!same || row.target !== goalOf(wish)) found.push(`I2: ${wish.kind} ${id} is not what was asked for`);
    for (const end of wish.ends)
      if (end !== row.state) found.push(`I3: ${wish.kind} ${id} was said to be ${end} and is ${row.state}`);
    if (row.state === "COMPLETED" && wish.goal.kind === "bank" && NEVER_PAID.test(wish.goal.accountNumber))
      found.push(`I1: ${wish.kind} ${id} is COMPLETED, to an account that cannot be paid`);
  }
  for (const { id } of rows) if (!known.has(id)) found.push(`I2: ${id} is recorded and nobody was told of it`);
  return found;
}

/** I1 from the other side: each balance is what the ends of all wishes come to. */
async function checkBalances(
  { databases, clients }: CheckedWorld,
  transfers: readonly Row[],
  topUps: readonly Row[],
): Promise<string[]> {
  const expected = new Map(clients.accounts.map(({ id }) => [id, 0n]));
  const add = (id: string, amount: bigint) => {
    const before = expected.get(id);
    if (before !== undefined) expected.set(id, before + amount);
  };
  for (const { state, account, amount } of topUps) if (state === "COMPLETED") add(account, amount);
  for (const { state, account, target, amount } of transfers)
    if (state === "COMPLETED") {
      add(account, -amount);
      add(target, amount);
    }
  const rows = await databases.query<{ id: string; balance: bigint }>(
    "ledger",
    "SELECT id, balance FROM account WHERE kind = 'member'",
  );
  return rows
    .filter(({ id, balance }) => expected.get(id) !== balance)
    .map(({ id, balance }) => `I1: account ${id} has ${balance}, its movements come to ${expected.get(id)}`);
}

/** I5: nothing is left to publish, to read, or in the dead letters. */
async function checkQueues({ databases, broker }: CheckedWorld): Promise<string[]> {
  const found = broker
    .deadLetters()
    .map(({ topic, headers }) => `I5: ${headers.ce_type} of ${headers.saga_id} is in ${topic}: ${headers.dlq_error}`);
  const lag = broker.lag();
  if (lag > 0) found.push(`I5: ${lag} messages are not consumed`);
  for (const service of STORED) {
    const [left] = await databases.query<{ count: bigint }>(
      service,
      "SELECT count(*) AS count FROM outbox, outbox_mark WHERE (outbox.xid, outbox.seq) > (outbox_mark.xid, outbox_mark.seq)",
    );
    if (left!.count > 0n) found.push(`I5: ${left!.count} rows of ${service}'s outbox are not marked as published`);
  }
  return found;
}

/** I5: whoever listens hears of each end. I8: and of nothing out of its order, repetitions aside. */
function checkEvents({ broker }: CheckedWorld, transfers: readonly Row[]): string[] {
  const told = new Set<string>();
  for (const { headers, key } of broker.records("ferry.transfer.events.v1"))
    if (headers.ce_type === TransferCompletedSchema.typeName && key !== undefined) told.add(key);
  return transfers
    .filter(({ id, state }) => (state === "COMPLETED") !== told.has(id))
    .map(({ id, state }) => `I5: ${id} is ${state}, and its event says ${told.has(id) ? "completed" : "nothing"}`);
}

/** Checks a world that has come to rest: its books, and what clients and neighbors were told. */
export async function checkWorld(world: CheckedWorld): Promise<{ findings: string[]; ends: Record<string, number> }> {
  const { databases, bank, promises } = world;
  const sources: BooksSources = {
    query: (service, text) => databases.query(service, text),
    bankRecords: async () => bank.records(),
    close: async () => {},
  };
  const { findings } = await checkBooks(sources);
  const transfers = await databases.query<Row>("transfer", TRANSFERS);
  const topUps = await databases.query<Row>("payment", TOP_UPS);
  const wishes = Map.groupBy(promises.wishes, ({ kind }) => kind);
  const ends: Record<string, number> = {};
  for (const { state } of transfers) ends[`transfer ${state}`] = (ends[`transfer ${state}`] ?? 0) + 1;
  for (const { state } of topUps) ends[`top-up ${state}`] = (ends[`top-up ${state}`] ?? 0) + 1;
  return {
    ends,
    findings: [
      ...promises.lies,
      ...findings,
      ...checkPromises(wishes.get("transfer") ?? [], transfers),
      ...checkPromises(wishes.get("top-up") ?? [], topUps),
      ...(await checkBalances(world, transfers, topUps)),
      ...(await checkQueues(world)),
      ...checkEvents(world, transfers),
    ],
  };
}
