import {
  type AuditCheck,
  createHorizon,
  type FeedOptions,
  type FoundBreach,
  feedCheck,
  SWEEP_REST_MS,
  sweepCheck,
} from "@ferry/platform/audit";
import type { Queryable } from "@ferry/platform/db";
import { FIND_CHANGED_ENTRIES, FIND_WRONG_ENTRIES, LOOK_AT_ACCOUNTS, MEASURE_ENTRIES } from "./statements.ts";

/** One of the databases that the ledger's accounts are in. */
export interface LedgerBook {
  /** As "shard-0"; empty where there is only one. */
  name: string;
  db: Queryable;
  /** Both postings of every movement are here: not so where one transaction spans two databases. */
  isWhole: boolean;
}

const nameIn = (check: string, book: string) => (book === "" ? check : `${check}-${book}`);

type Wrong = "unbalanced" | "chain" | "balance" | "limit" | "reason";

const SENTENCES: Record<Wrong, string> = {
  unbalanced: "the postings of a movement are not two that sum to zero in one currency",
  chain: "a posting's balance is not the balance before it and its amount",
  balance: "an account's balance is not the sum of its postings",
  limit: "an account is below its limit, or holds more than it has",
  reason: "a posting has no settled hold or booked credit of its amount",
};

/** The same row may be wrong in several ways, and each is a breach of its own. */
function breachOf(what: Wrong, subject: string, accounts: readonly string[], rows: unknown): FoundBreach {
  return { subject: `${what}:${subject}`, message: SENTENCES[what], detail: { rows }, accounts };
}

function postingsFeed({ name, db, isWhole }: LedgerBook): FeedOptions {
  return {
    name: nameIn("postings", name),
    db,
    horizon: createHorizon(db),
    invariant: "I1,I6,I8",
    description:
      "Each movement has two postings that sum to zero, follows on the one before it on its account, has a settled hold or a credit as its reason, and leaves a balance that is the account's and within its limit.",
    measure: MEASURE_ENTRIES,
    async look({ from, upTo }) {
      const wrong = await db.query<{ what: Wrong; subject: string; accounts: string[]; rows: unknown }>(
        FIND_WRONG_ENTRIES,
        [from, upTo],
      );
      const counted = isWhole ? wrong : wrong.filter(({ what }) => what !== "unbalanced");
      return { breaches: counted.map(({ what, subject, accounts, rows }) => breachOf(what, subject, accounts, rows)) };
    },
  };
}

const FIRST_ID = "00000000-0000-0000-0000-000000000000";

/** Goes round all accounts: what was changed in one that has no new postings is found here. */
function accountsCheck({ name, db }: LedgerBook): AuditCheck {
  return {
    name: nameIn("accounts", name),
    findsFor: nameIn("postings", name),
    invariant: "I1,I6",
    description: "Each account's balance is that of its newest posting and within its limit; slowly, round and round.",
    everyMs: 10_000,
    async run({ cursor, maxRows }) {
      const after = (cursor as { after: string } | undefined)?.after ?? FIRST_ID;
      const rows = await db.query<{
        id: string;
        account: unknown;
        last: unknown;
        is_sum: boolean;
        is_within: boolean;
      }>(LOOK_AT_ACCOUNTS, [after, maxRows]);
      const breaches = rows.flatMap(({ id, account, last, is_sum, is_within }) => [
        ...(is_sum ? [] : [breachOf("balance", id, [id], [account, last])]),
        ...(is_within ? [] : [breachOf("limit", id, [id], [account, last])]),
      ]);
      const last = rows.length < maxRows ? undefined : rows.at(-1)?.id;
      const next =
        last === undefined ? { cursor: { after: FIRST_ID }, restMs: SWEEP_REST_MS } : { cursor: { after: last } };
      return { ...next, rows: rows.length, breaches };
    },
  };
}

interface ChangedRow {
  xid: string;
  seq: string;
  action: string;
  account_id: string;
  version: string;
  reference: string;
  before: unknown;
  role: string;
  changed_at: string;
}

/** Hears of postings that were changed after they were written, wherever in history they are. */
function changesCheck({ name, db }: LedgerBook): AuditCheck {
  return {
    name: nameIn("changed-postings", name),
    invariant: "I1,I8",
    description: "No posting is changed or deleted after it was written.",
    async run({ cursor, maxRows }) {
      const after = (cursor as { xid: string; seq: string } | undefined) ?? { xid: "0", seq: "0" };
      const rows = await db.query<ChangedRow>(FIND_CHANGED_ENTRIES, [after.xid, after.seq, maxRows]);
      const breaches = rows.map(({ xid, seq, account_id, ...row }) => ({
        subject: `${account_id}:${row.version}`,
        message: "a posting was changed or deleted after it was written",
        detail: { xid, ...row },
        accounts: [account_id],
      }));
      const last = rows.at(-1);
      return {
        cursor: last === undefined ? cursor : { xid: last.xid, seq: last.seq },
        rows: rows.length,
        breaches,
        more: rows.length === maxRows,
        lagMs: 0,
      };
    },
  };
}

/** What the ledger checks of one of its databases. */
export function ledgerChecks(book: LedgerBook): AuditCheck[] {
  const postings = postingsFeed(book);
  return [changesCheck(book), feedCheck(postings), sweepCheck(postings), accountsCheck(book)];
}
