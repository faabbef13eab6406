// What must hold of the ledger's tables, in one database or over several.
import type { Breach } from "./check.ts";

const isNotZero = (sum: bigint): boolean => sum !== 0n;

export const LEDGER_BREACHES: Breach[] = [
  [
    "ledger",
    "postings of a reference do not sum to zero",
    "SELECT reference AS id, sum(amount)::text AS detail FROM entry GROUP BY reference HAVING sum(amount) <> 0",
    isNotZero,
  ],
  [
    "ledger",
    "postings of a currency do not sum to zero",
    "SELECT currency AS id, sum(amount)::text AS detail FROM entry JOIN account ON account.id = account_id GROUP BY currency HAVING sum(amount) <> 0",
    isNotZero,
  ],
  [
    "ledger",
    "money is under way between shards",
    "SELECT currency AS id, sum(balance)::text AS detail FROM account WHERE kind = 'transit' GROUP BY currency HAVING sum(balance) <> 0",
    isNotZero,
  ],
  [
    "ledger",
    "a transaction is still prepared",
    "SELECT gid AS id FROM pg_prepared_xacts WHERE database = current_database() AND gid LIKE 'ferry:%'",
  ],
  [
    "ledger",
    "a movement of a reference has other than two postings",
    "SELECT reference AS id, count(*)::text AS detail FROM entry GROUP BY reference, split_part(leg, '-', 1) HAVING count(*) <> 2",
    (sum) => sum !== 2n,
  ],
  [
    "ledger",
    "a balance is not the sum of its postings",
    "SELECT id, balance || ' is not ' || total AS detail FROM account, LATERAL (SELECT coalesce(sum(amount), 0) AS total FROM entry WHERE account_id = account.id) AS postings WHERE balance <> total",
  ],
  [
    "ledger",
    "balance_after is not the running sum",
    "SELECT account_id AS id, version::text AS detail FROM (SELECT account_id, version, balance_after, sum(amount) OVER (PARTITION BY account_id ORDER BY version) AS running FROM entry) AS entries WHERE balance_after <> running",
  ],
  [
    "ledger",
    "the held amount is not the sum of open holds",
    "SELECT id, held || ' is not ' || total AS detail FROM account, LATERAL (SELECT coalesce(sum(amount), 0) AS total FROM hold WHERE account_id = account.id AND state = 'held') AS holds WHERE kind = 'member' AND held <> total",
  ],
  [
    "ledger",
    "an account is below its limit",
    "SELECT id, balance::text AS detail FROM account WHERE kind = 'member' AND balance < held",
  ],
  [
    "ledger",
    "a settled hold has no posting",
    "SELECT transfer_id AS id FROM hold WHERE state = 'settled' AND NOT EXISTS (SELECT FROM entry WHERE reference = transfer_id)",
  ],
  [
    "ledger",
    "a posting of a transfer has no settled hold",
    "SELECT reference AS id FROM entry WHERE leg = 'transfer-from' AND NOT EXISTS (SELECT FROM hold WHERE transfer_id = reference AND state = 'settled')",
  ],
];
