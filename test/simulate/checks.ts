import { TransferCompletedSchema } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { checkBooks } from "../books/check.ts";
import type { BooksSources } from "../books/sources.ts";
import type { SimulatedBank } from "./bank.ts";
import type { Broker } from "./broker.ts";
import type { Clients } from "./clients.ts";
import { STORED, type Stored, type WorldDatabases } from "./cluster.ts";
import type { Promises, Wish, WishKind } from "./promises.ts";

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
  /** The account that pays, or that is topped up; of a refund, the merchant's. */
  account: string;
  target: string | null;
  /** What began it by itself, and not a client: its batch or its payment. */
  parent: string | null;
}

/** What each kind of wish is recorded as. */
const RECORDED = {
  transfer: [
    "transfer",
    `SELECT id, state, member_id, amount_minor AS amount, source_account_id AS account, batch_id AS parent,
       coalesce(destination_account_number, destination_account_id::text) AS target FROM transfer`,
  ],
  batch: [
    "transfer",
    `SELECT id, state, member_id, 0::bigint AS amount, source_account_id AS account, NULL AS parent,
       line_count::text AS target FROM transfer_batch`,
  ],
  "top-up": [
    "payment",
    `SELECT id, state, member_id, amount_minor AS amount, account_id AS account, payment_id AS parent,
       account_number AS target FROM top_up`,
  ],
  payment: [
    "payment",
    `SELECT id, state, member_id, amount_minor AS amount, source_account_id AS account, NULL AS parent,
       merchant_account_id::text AS target FROM payment`,
  ],
  refund: [
    "payment",
    `SELECT refund.id, refund.state, merchant_member_id AS member_id, refund.amount_minor AS amount,
       merchant_account_id AS account, NULL AS parent, coalesce(account_number, source_account_id::text) AS target
     FROM refund JOIN payment ON payment.id = payment_id`,
  ],
} as const satisfies Record<WishKind, readonly [Stored, string]>;

type Recorded = Record<WishKind, Row[]>;

async function readRecorded({ databases }: CheckedWorld): Promise<Recorded> {
  const recorded: Recorded = { transfer: [], batch: [], "top-up": [], payment: [], refund: [] };
  for (const [kind, [service, text]] of Object.entries(RECORDED))
    recorded[kind as WishKind] = await databases.query<Row>(service, text);
  return recorded;
}

/** Where the record of a wish says that the money goes; undefined where that is not known here. */
function targetOf({ goal }: Wish): string | undefined {
  switch (goal.kind) {
    case "bank":
      return goal.accountNumber;
    case "account":
    case "merchant":
      return goal.accountId;
    case "refund":
      return goal.accountNumber;
    case "lines":
      return String(goal.lines.length);
    default:
      return goal satisfies never;
  }
}

/** Accounts at the bank that nothing can ever be sent to. */
const NEVER_PAID = /(9404|9409|9402|9999)$/;

/** I2, I3: what clients were promised is in the books, once, and as they were told. */
function checkPromises(kind: WishKind, wishes: readonly Wish[], rows: readonly Row[]): string[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const found: string[] = [];
  const known = new Set<string>();
  for (const wish of wishes) {
    const [id] = wish.ids;
    if (id === undefined) continue;
    known.add(id);
    const row = byId.get(id);
    if (row === undefined) {
      found.push(`I2: ${kind} ${id} was acknowledged and is not recorded`);
      continue;
    }
    const target = targetOf(wish) ?? row.target;
    const same = row.member_id === wish.memberId && row.amount === wish.amountMinor && row.account === wish.accountId;
    if (!same || row.target !== target) found.push(`I2: ${kind} ${id} is not what was asked for`);
    for (const end of wish.ends)
      if (end !== row.state) found.push(`I3: ${kind} ${id} was said to be ${end} and is ${row.state}`);
  }
  for (const { id, state, target } of rows)
    if (state === "COMPLETED" && kind !== "batch" && NEVER_PAID.test(target ?? "") && !target?.includes("-"))
      found.push(`I1: ${kind} ${id} is COMPLETED, to an account that cannot be paid`);
  for (const { id, parent } of rows)
    if (parent === null && !known.has(id)) found.push(`I2: ${kind} ${id} is recorded and nobody was told of it`);
  return found;
}

/** I1 from the other side: each balance is what the ends of all that was recorded come to. */
async function checkBalances({ databases, clients }: CheckedWorld, recorded: Recorded): Promise<string[]> {
  const expected = new Map(clients.accounts.map(({ id }) => [id, 0n]));
  const add = (id: string | null, amount: bigint) => {
    const before = expected.get(id ?? "");
    if (before !== undefined) expected.set(id!, before + amount);
  };
  for (const { state, account, amount } of recorded["top-up"]) if (state === "COMPLETED") add(account, amount);
  for (const { state, account, target, amount } of [recorded.transfer, recorded.payment, recorded.refund].flat())
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

interface Line {
  batch_id: string;
  line: number;
  state: string;
  transfer_state: string | null;
}

const LINES = `SELECT line.batch_id, line.line, line.state, transfer.state AS transfer_state
  FROM transfer_batch_line AS line LEFT JOIN transfer ON transfer.id = line.transfer_id`;

/** A line says what became of its transfer. */
async function checkLines({ databases }: CheckedWorld): Promise<string[]> {
  const lines = await databases.query<Line>("transfer", LINES);
  return lines
    .filter(({ state, transfer_state: of }) => of !== null && of !== state)
    .map(
      (line) => `I1: line ${line.line} of batch ${line.batch_id} is ${line.state}, its transfer ${line.transfer_state}`,
    );
}

/** I5: nothing is left to publish, to read, or in the dead letters. */
async function checkQueues({ databases, broker }: CheckedWorld): Promise<string[]> {
  const found = broker
    .deadLetters()
    .map(({ topic, headers }) => `I5: ${headers.ce_type} of ${headers.saga_id} is in ${topic}: ${headers.dlq_error}`);
  for (const [group, lag] of Object.entries(broker.lag()))
    found.push(`I5: ${lag} messages are not consumed by ${group}`);
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

/** The auditors raise no alarm where nothing is wrong; where they do, this shows in the other findings too. */
async function checkAuditors({ databases }: CheckedWorld): Promise<string[]> {
  const found: string[] = [];
  for (const service of STORED)
    for (const { message, ...breach } of await databases.query<{ message: string }>(
      service,
      "SELECT check_name, subject, message, detail, found_at FROM audit_breach",
    ))
      found.push(`the auditor of ${service} says: ${message} ${JSON.stringify(breach)}`);
  return found;
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
  const recorded = await readRecorded(world);
  const wishes = Map.groupBy(promises.wishes, ({ kind }) => kind);
  const ends: Record<string, number> = {};
  for (const [kind, rows] of Object.entries(recorded))
    for (const { state } of rows) ends[`${kind} ${state}`] = (ends[`${kind} ${state}`] ?? 0) + 1;
  const kept = Object.entries(recorded).flatMap(([name, rows]) => {
    const kind = name as WishKind;
    return checkPromises(kind, wishes.get(kind) ?? [], rows);
  });
  return {
    ends,
    findings: [
      ...promises.lies,
      ...findings,
      ...kept,
      ...(await checkBalances(world, recorded)),
      ...(await checkLines(world)),
      ...(await checkQueues(world)),
      ...checkEvents(world, recorded.transfer),
      ...(await checkAuditors(world)),
    ],
  };
}
