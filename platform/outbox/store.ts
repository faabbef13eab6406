import { OutboxBatchSchema } from "@ferry/gen/ferry/outbox/v1/outbox_pb.ts";
import { decode, encode } from "@ferry/platform/codec";
import type { Queryable } from "@ferry/platform/db";
import type { Batch } from "./message.ts";

/** A place in the order of publication. (xid, 0) is before everything of that transaction. */
export interface Place {
  xid: bigint;
  seq: bigint;
}

/** What one transaction, or a part of it, has sent. */
export interface OutboxRow extends Place {
  batch: Batch;
  createdAtMs: number;
}

interface RawRow {
  xid: string;
  seq: bigint;
  batch: Buffer;
  created_at: Date;
}

export const CHANNEL = "ferry_outbox";
/** Two numbers that nothing else of the platform locks. */
const LOCK = [0x66657272, 1] as const;
const COLUMNS = "xid::text, seq, batch, created_at";
/** With the table's name: by itself "xid" in ORDER BY is the column of the result, and 1000 as a text comes before 999. */
const IN_ORDER = "ORDER BY outbox.xid, outbox.seq";

/** Adds a row to the open transaction. @returns the transaction's id. */
export async function insertRow(tx: Queryable, origin: string, batch: Batch): Promise<bigint> {
  const [row] = await tx.query<{ xid: string }>(
    "INSERT INTO outbox (origin, batch) VALUES ($1::uuid, $2::bytea) RETURNING xid::text",
    [origin, encode(OutboxBatchSchema, batch)],
  );
  return BigInt(row!.xid);
}

export async function tryLock(db: Queryable): Promise<boolean> {
  const [row] = await db.query<{ locked: boolean }>("SELECT pg_try_advisory_lock($1, $2) AS locked", LOCK);
  return row!.locked;
}

export async function listen(db: Queryable): Promise<void> {
  await db.query(`LISTEN ${CHANNEL}`);
}

export async function notify(db: Queryable): Promise<void> {
  await db.query(`SELECT pg_notify('${CHANNEL}', '')`);
}

/**
 * Every transaction with an id below `oldest` is over; none with an id from `next` on had begun. The snapshot's own
 * upper end is no such id: it only lies above all that have ended, and one that runs may be numbered beyond it.
 */
export async function readHorizon(db: Queryable): Promise<{ oldest: bigint; next: bigint }> {
  const [row] = await db.query<{ oldest: string; behind: number }>(
    `SELECT pg_snapshot_xmin(snapshot)::text AS oldest, age(pg_snapshot_xmin(snapshot)::xid) AS behind
     FROM pg_current_snapshot() AS snapshot`,
  );
  const oldest = BigInt(row!.oldest);
  return { oldest, next: oldest + BigInt(row!.behind) };
}

export async function readMark(db: Queryable): Promise<Place> {
  const [row] = await db.query<{ xid: string; seq: bigint }>("SELECT xid::text, seq FROM outbox_mark");
  if (row === undefined) throw new Error("outbox_mark has no row");
  return { xid: BigInt(row.xid), seq: row.seq };
}

export async function writeMark(db: Queryable, { xid, seq }: Place): Promise<void> {
  await db.query("UPDATE outbox_mark SET xid = $1::text::xid8, seq = $2", [String(xid), seq]);
}

/**
 * Makes the outbox of a database that came from another server, by dump and restore, usable here: the
 * transaction ids of that server say nothing on this one. What was not published moves to the present.
 */
export async function beginAnew(db: Queryable, mark: Place): Promise<Place> {
  await db.query(
    `WITH moved AS (
       UPDATE outbox SET xid = pg_current_xact_id() WHERE (xid, seq) > ($1::text::xid8, $2::bigint)
     )
     UPDATE outbox_mark SET xid = '0', seq = 0`,
    [String(mark.xid), mark.seq],
  );
  return { xid: 0n, seq: 0n };
}

function toRow({ xid, seq, batch, created_at }: RawRow): OutboxRow {
  return { xid: BigInt(xid), seq, batch: decode(OutboxBatchSchema, batch), createdAtMs: created_at.getTime() };
}

export interface Stretch {
  /** Rows after this place, */
  after: Place;
  /** of transactions below this id, */
  below: bigint;
  /** of all processes but this, */
  notOf: string;
  /** and of this one too from this transaction on. Undefined: none. */
  ownFrom: bigint | undefined;
  limit: number;
}

export async function readRows(db: Queryable, { after, below, notOf, ownFrom, limit }: Stretch): Promise<OutboxRow[]> {
  const rows = await db.query<RawRow>(
    `SELECT ${COLUMNS} FROM outbox
     WHERE (xid, seq) > ($1::text::xid8, $2::bigint) AND xid < $3::text::xid8
       AND (origin <> $4::uuid OR xid >= $5::text::xid8)
     ${IN_ORDER} LIMIT $6`,
    [String(after.xid), after.seq, String(below), notOf, ownFrom === undefined ? null : String(ownFrom), limit],
  );
  return rows.map(toRow);
}

export interface OwnStretch {
  origin: string;
  /** Transactions from this id on, */
  from: bigint;
  /** and below this one; */
  below: bigint;
  /** so many of them at most. */
  limit: number;
}

/** Rows of one process that are committed, whatever else is still open; transactions are whole. */
export async function readOwnRows(db: Queryable, { origin, from, below, limit }: OwnStretch): Promise<OutboxRow[]> {
  const rows = await db.query<RawRow>(
    `SELECT ${COLUMNS} FROM outbox WHERE origin = $1::uuid AND xid IN (
       SELECT own.xid FROM outbox AS own
       WHERE own.xid >= $2::text::xid8 AND own.xid < $3::text::xid8 AND own.origin = $1::uuid
       GROUP BY own.xid ORDER BY own.xid LIMIT $4)
     ${IN_ORDER}`,
    [origin, String(from), String(below), limit],
  );
  return rows.map(toRow);
}

export async function readTransactions(db: Queryable, xids: readonly bigint[]): Promise<OutboxRow[]> {
  const rows = await db.query<RawRow>(
    `SELECT ${COLUMNS} FROM outbox WHERE xid = ANY ($1::text[]::xid8[]) ${IN_ORDER}`,
    [xids.map(String)],
  );
  return rows.map(toRow);
}

/** Deletes the oldest published rows, one chunk. Rows lie in the order of time, so only the oldest are looked at. */
export async function deleteOld(db: Queryable, below: bigint, keptDays: number, limit: number): Promise<number> {
  const rows = await db.query(
    `DELETE FROM outbox WHERE (xid, seq) IN (
       SELECT xid, seq FROM (
         SELECT xid, seq, created_at FROM outbox WHERE xid < $1::text::xid8 ORDER BY xid, seq LIMIT $3
       ) AS oldest
       WHERE created_at < now() - make_interval(days => $2)
     ) RETURNING 1`,
    [String(below), keptDays, limit],
  );
  return rows.length;
}
