import { BATCH_BREACHES } from "./batches.ts";
import { LEDGER_BREACHES } from "./ledger.ts";
import { PAYMENT_BREACHES, readRefunds, refundsAtBank, refundsBooked, refundsTakenBack } from "./payments.ts";
import type { BankRecord, BooksSources } from "./sources.ts";

export interface BooksReport {
  /** What does not hold, a sentence each; empty when the books are right. */
  findings: string[];
  /** Counts of what was looked at, so that a check of nothing shows. */
  figures: Record<string, number>;
}

const MAX_EXAMPLES = 5;

interface Described {
  id: string;
  detail?: string;
}

/** One finding for a list of rows that should be empty. */
function finding(what: string, rows: readonly Described[]): string[] {
  if (rows.length === 0) return [];
  const examples = rows
    .slice(0, MAX_EXAMPLES)
    .map(({ id, detail }) => (detail === undefined ? id : `${id} (${detail})`));
  return [`${what}: ${rows.length}, as ${examples.join(", ")}`];
}

/**
 * A statement whose every row is a breach. Of a ledger over several databases some rows are only half of
 * the truth: their details are added up by id, and `isBreach` tells whether the sum is still one.
 */
export type Breach = [
  service: "ledger" | "transfer" | "payment" | "banking",
  what: string,
  sql: string,
  isBreach?: (sum: bigint) => boolean,
];

/** By service. */
const BREACHES: Breach[] = [
  ...LEDGER_BREACHES,
  [
    "transfer",
    "a transfer has not ended",
    "SELECT id, state AS detail FROM transfer WHERE state NOT IN ('COMPLETED', 'FAILED', 'CANCELED', 'PARKED') AND NOT (state = 'SCHEDULED' AND execute_at > now())",
  ],
  [
    "transfer",
    "a transfer failed or is parked without a reason",
    "SELECT id, state AS detail FROM transfer WHERE state IN ('FAILED', 'CANCELED', 'PARKED') AND failure_code IS NULL",
  ],
  [
    "transfer",
    "a transfer has no saga",
    // One that was planned for later may end before it begins.
    "SELECT id FROM transfer WHERE NOT EXISTS (SELECT FROM saga WHERE saga.id = transfer.id) AND NOT (execute_at IS NOT NULL AND state IN ('SCHEDULED', 'FAILED', 'CANCELED'))",
  ],
  [
    "transfer",
    "a saga has not ended",
    "SELECT id, status AS detail FROM saga WHERE status NOT IN ('completed', 'undone', 'parked')",
  ],
  ["transfer", "a reply came for no saga", "SELECT message_id AS id FROM saga_stray_reply"],
  ...BATCH_BREACHES,
  [
    "payment",
    "a top-up has not ended",
    "SELECT id, state AS detail FROM top_up WHERE state NOT IN ('COMPLETED', 'FAILED', 'PARKED')",
  ],
  [
    "payment",
    "a top-up has no saga",
    "SELECT id FROM top_up WHERE NOT EXISTS (SELECT FROM saga WHERE saga.id = top_up.id)",
  ],
  // A payment whose top-up waits for an operator waits with it.
  [
    "payment",
    "a saga has not ended",
    "SELECT id, status AS detail FROM saga WHERE status NOT IN ('completed', 'undone', 'parked') AND NOT EXISTS (SELECT FROM saga AS child WHERE child.parent_id = saga.id AND child.status = 'parked')",
  ],
  ["payment", "a reply came for no saga", "SELECT message_id AS id FROM saga_stray_reply"],
  [
    "payment",
    "a top-up failed without a reason",
    "SELECT id FROM top_up WHERE state = 'FAILED' AND failure_code IS NULL",
  ],
  [
    "banking",
    "a call to the bank has no outcome",
    "SELECT id, reference::text AS detail FROM bank_call WHERE outcome = 'pending'",
  ],
  ...PAYMENT_BREACHES,
];

/** Something that moves money, as its owner's books say. */
export interface Movement {
  id: string;
  state: string;
  currency: string;
  amount: bigint;
  external: boolean;
  /** At the bank; null within the platform. */
  account: string | null;
}

/** What the ledger moved for something. */
export interface Posted {
  id: string;
  amount: bigint;
}

/**
 * Who has not ended may hold: what waits for an operator, and a payment that waits for its top-up, which does. The
 * ledger may have heard its first question twice, and have had the money the second time.
 */
const MAY_HOLD: ReadonlySet<string> = new Set(["PARKED", "TOPPING_UP"]);

/** Transfers, payments, refunds and top-ups against the ledger: a completed one moved its amount once, one that did not complete moved and holds nothing. */
function checkPostings(transfers: readonly Movement[], posted: readonly Posted[], open: ReadonlySet<string>): string[] {
  const amounts = new Map(posted.map(({ id, amount }) => [id, amount]));
  const known = new Set(transfers.map(({ id }) => id));
  const bad = transfers.filter(
    ({ id, state, amount }) => (amounts.get(id) ?? 0n) !== (state === "COMPLETED" ? amount : 0n),
  );
  const leaked = transfers.filter(({ id, state }) => !MAY_HOLD.has(state) && open.has(id));
  return [
    ...finding(
      "the ledger moved another amount than the transfer says",
      bad.map(({ id, state }) => ({ id, detail: state })),
    ),
    ...finding("a hold is left open", [...leaked, ...[...open].filter((id) => !known.has(id)).map((id) => ({ id }))]),
    ...finding(
      "the ledger moved money for no transfer",
      posted.filter(({ id }) => !known.has(id)),
    ),
  ];
}

/** Movements against the bank: exactly one record of reference and amount for what completed, none for what failed. */
function checkBank(kind: BankRecord["kind"], movements: readonly Movement[], records: readonly BankRecord[]): string[] {
  const done = records.filter((record) => record.kind === kind && record.status === "done");
  const byReference = Map.groupBy(done, ({ reference }) => reference);
  const external = movements.filter((movement) => movement.external);
  const known = new Set(external.map(({ id }) => id));
  const wrong = external.filter(({ id, state, currency, amount, account }) => {
    const found = byReference.get(id) ?? [];
    if (state === "PARKED") return found.length > 1;
    if (state !== "COMPLETED") return found.length > 0;
    const [record] = found;
    if (record === undefined || found.length > 1) return true;
    return record.currency !== currency || record.accountNumber !== account || BigInt(record.minorUnits) !== amount;
  });
  const unexplained = done.filter(({ reference }) => !known.has(reference));
  return [
    ...finding(
      `the bank's ${kind}s are not what the platform's books say`,
      wrong.map(({ id, state }) => ({ id, detail: `${state}, ${byReference.get(id)?.length ?? 0} records` })),
    ),
    ...finding(
      `the bank has a ${kind} that nothing explains`,
      unexplained.map(({ reference }) => ({ id: reference })),
    ),
  ];
}

/** Rows of several databases, added up where one of them alone says nothing. */
function addUp(rows: readonly Described[], isBreach: ((sum: bigint) => boolean) | undefined): readonly Described[] {
  if (isBreach === undefined) return rows;
  const sums = new Map<string, bigint>();
  for (const { id, detail = "0" } of rows) sums.set(id, (sums.get(id) ?? 0n) + BigInt(detail));
  return [...sums].filter(([, sum]) => isBreach(sum)).map(([id, sum]) => ({ id, detail: String(sum) }));
}

/** Per currency: what came in less what went out is what members own, suspense included. */
async function checkTotals(
  sources: BooksSources,
  out: readonly Movement[],
  topUps: readonly Movement[],
): Promise<string[]> {
  const owned = await sources.query<{ currency: string; total: bigint }>(
    "ledger",
    "SELECT currency, sum(balance) AS total FROM account WHERE kind <> 'clearing' GROUP BY currency",
  );
  const sum = (rows: readonly Movement[], currency: string) =>
    rows
      .filter((row) => row.external && row.state === "COMPLETED" && row.currency === currency)
      .reduce((total, { amount }) => total + amount, 0n);
  const totals = new Map<string, bigint>();
  for (const { currency, total } of owned) totals.set(currency, (totals.get(currency) ?? 0n) + total);
  const wrong = [...totals].filter(([currency, total]) => sum(topUps, currency) - sum(out, currency) !== total);
  return finding(
    "top-ups less what went to banks are not what is in the accounts",
    wrong.map(([currency, total]) => ({ id: currency, detail: `accounts hold ${total}` })),
  );
}

/**
 * Checks the books of a platform that has come to rest: every transfer, top-up, payment and refund has
 * ended, no account is below its limit, every posting has its counterpart (invariants I1, I4 and I6), and the platform's books against the bank's.
 */
export async function checkBooks(sources: BooksSources): Promise<BooksReport> {
  let breaches: string[] = [];
  for (const [service, what, sql, isBreach] of BREACHES)
    breaches = breaches.concat(finding(what, addUp(await sources.query<Described>(service, sql), isBreach)));
  const transfers = await sources.query<Movement>(
    "transfer",
    "SELECT id, state, currency, amount_minor AS amount, destination_bank_code IS NOT NULL AS external, destination_account_number AS account FROM transfer",
  );
  const topUps = await sources.query<Movement>(
    "payment",
    "SELECT id, state, currency, amount_minor AS amount, true AS external, account_number AS account FROM top_up",
  );
  const payments = await sources.query<Movement>(
    "payment",
    "SELECT id, state, currency, amount_minor AS amount, false AS external, NULL AS account FROM payment",
  );
  const refunds = await readRefunds(sources);
  const posted = await sources.query<Posted>(
    "ledger",
    "SELECT reference AS id, -amount AS amount FROM entry WHERE leg = 'transfer-from'",
  );
  const booked = await sources.query<Posted>(
    "ledger",
    "SELECT reference AS id, amount FROM entry WHERE leg = 'credit-to'",
  );
  const holds = await sources.query<Described>("ledger", "SELECT transfer_id AS id FROM hold WHERE state = 'held'");
  const open = new Set(holds.map(({ id }) => id));
  const records = await sources.bankRecords();
  const outside = [...transfers, ...refundsAtBank(refunds)];
  return {
    findings: [
      ...breaches,
      ...checkPostings([...transfers, ...payments, ...refundsBooked(refunds, posted)], posted, open),
      ...checkPostings([...topUps, ...refundsTakenBack(refunds, posted)], booked, new Set()),
      ...checkBank("payment", outside, records),
      ...checkBank("debit", topUps, records),
      ...(await checkTotals(sources, outside, topUps)),
    ],
    figures: {
      transfers: transfers.length,
      completed: transfers.filter(({ state }) => state === "COMPLETED").length,
      topUps: topUps.length,
      payments: payments.length,
      refunds: refunds.length,
      refundsTakenBack: refundsTakenBack(refunds, posted).filter(({ state }) => state === "COMPLETED").length,
      postings: posted.length + booked.length,
      bankRecords: records.length,
      openHolds: holds.length,
    },
  };
}
