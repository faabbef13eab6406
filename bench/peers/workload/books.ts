import type pg from "pg";

/** One query, so that all is read from one snapshot. Each count is of what must not be. */
const CHECK = `SELECT
  (SELECT sum(initial) FROM accounts)::text AS "moneyAtStart",
  ((SELECT sum(available) FROM accounts)
    + coalesce((SELECT sum(amount) FROM holds WHERE status = 'held'), 0)
    + coalesce((SELECT sum(amount) FROM entries WHERE leg = 2), 0))::text AS "moneyNow",
  coalesce((SELECT sum(amount) FROM entries), 0)::text AS "entriesNet",
  (SELECT count(*) FROM accounts WHERE available <> initial - coalesce(
    (SELECT sum(amount) FROM holds WHERE account_id = accounts.id AND status <> 'released'), 0))::int AS "wrongAccounts",
  (SELECT count(*) FROM holds WHERE status = 'held')::int AS "openHolds",
  (SELECT count(*) FROM holds WHERE NOT EXISTS (
    SELECT 1 FROM transfers WHERE transfers.transfer_id = holds.transfer_id))::int AS "holdsWithoutTransfer",
  (SELECT count(*) FROM transfers
    LEFT JOIN holds USING (transfer_id)
    LEFT JOIN (SELECT transfer_id, count(*) AS legs FROM entries GROUP BY transfer_id) AS posted USING (transfer_id)
    WHERE NOT coalesce(
      (transfers.status = 'settled' AND holds.status = 'settled' AND legs = 2)
      OR (transfers.status = 'failed' AND holds.status = 'released' AND legs IS NULL)
      OR (transfers.status = 'rejected' AND holds.status IS NULL AND legs IS NULL), false))::int AS "wrongTransfers",
  (SELECT count(*) FROM transfers)::int AS transfers`;

interface Books {
  moneyAtStart: string;
  moneyNow: string;
  entriesNet: string;
  wrongAccounts: number;
  openHolds: number;
  holdsWithoutTransfer: number;
  wrongTransfers: number;
  transfers: number;
}

/**
 * What does not add up in a ledger at rest, a sentence each; empty when all does: no money made or lost,
 * entries net to zero, each account equals its start less what is held or settled, no hold open, each
 * transfer in accord with its hold and entries, and as many transfers as were seen complete.
 */
export async function findFaults(pool: pg.Pool, completed: number): Promise<string[]> {
  const books = (await pool.query<Books>(CHECK)).rows[0]!;
  const faults: [boolean, string][] = [
    [books.moneyNow !== books.moneyAtStart, `money was ${books.moneyAtStart} and is ${books.moneyNow}`],
    [books.entriesNet !== "0", `the entries net to ${books.entriesNet}`],
    [books.wrongAccounts > 0, `${books.wrongAccounts} accounts differ from their holds`],
    [books.openHolds > 0, `${books.openHolds} holds are open`],
    [books.holdsWithoutTransfer > 0, `${books.holdsWithoutTransfer} holds have no transfer`],
    [books.wrongTransfers > 0, `${books.wrongTransfers} transfers differ from their holds or entries`],
    [books.transfers !== completed, `${books.transfers} transfers are recorded, ${completed} were seen complete`],
  ];
  return faults.flatMap(([holds, fault]) => (holds ? [fault] : []));
}
