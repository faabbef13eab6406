import { performance } from "node:perf_hooks";
import type { Session } from "@ferry/platform/db";
import type { Bus } from "@ferry/platform/events";
import type { Logger } from "@ferry/platform/telemetry";
import type { Memory, Parcel } from "./memory.ts";
import type { Batch } from "./message.ts";
import { sweptRows } from "./metrics.ts";
import { createPublisher } from "./publisher.ts";
import {
  beginAnew,
  type OutboxRow,
  type Place,
  readHorizon,
  readMark,
  readOwnRows,
  readRows,
  readTransactions,
  writeMark,
} from "./store.ts";

export interface RelayOptions {
  session: Session;
  bus: Pick<Bus, "publish">;
  /** Names this process in the table. */
  origin: string;
  memory: Memory;
  logger: Logger;
}

/** Messages that leave together from memory, about; and rows that are read at once from the table. */
const PUBLISHED_AT_ONCE = 500;
const ROWS_AT_ONCE = 100;
/** The table is looked at so often while there is something to mark, and so often when all is quiet. */
const ACTIVE_LOOK_MS = 500;
const QUIET_LOOK_MS = 5_000;

/**
 * Publishes as long as this process holds the lock: its own messages from memory right after their
 * commit, all others from the table.
 *
 * No row is skipped: of other processes the table is read only below the oldest running transaction, where
 * nothing can appear any more, and the mark never passes a transaction whose messages are not acknowledged.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #ending = new AbortController();
  /** Publishes until the broker has it; false when this relay has ended before. */
  readonly #publish: (batches: readonly Batch[]) => Promise<boolean>;
  /** Up to here everything is published; what a new holder begins with. */
  #mark: Place = { xid: 0n, seq: 0n };
  /** Up to here the table was read; at or ahead of the mark. */
  #cursor: Place = { xid: 0n, seq: 0n };
  #writtenMark: Place = { xid: 0n, seq: 0n };
  /** Own rows from this transaction on are read from the table too, because memory may not have them. */
  #ownFrom: bigint | undefined = 0n;
  /** The youngest transaction that was left to the table. */
  #leftUpTo = 0n;
  /** Memory was full: later messages follow the earlier ones to the table until those are published. */
  #leaving = false;
  /** Until the table has been read once to its end, own messages included, what is in memory waits: it is younger. */
  #catchingUp = true;
  /** Nothing of this process from this transaction on was committed before the relay heard of it. */
  #heardFrom = 0n;
  #youngest = 0n;
  #lookWanted = true;
  /** By the clock that only goes on: one that is set back must not keep this relay from the table for as long. */
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #awake = Promise.withResolvers<void>();
  #busy = false;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#publish = createPublisher({ bus: options.bus, logger: options.logger, ending: this.#ending.signal });
    void options.session.ended.then(() => this.end());
  }

  get mark(): Place {
    return this.#mark;
  }

  /** Every transaction with an id below this one is over, and no transaction that runs will have one. */
  get overBelow(): bigint {
    return this.#cursor.xid;
  }

  /** Nothing that was committed here waits any more. */
  get drained(): boolean {
    return !this.#busy && !this.#catchingUp && this.#options.memory.queuedMessages === 0;
  }

  /** Begins to take parcels: from here on the end of each transaction is heard by this relay. */
  async prepare(): Promise<void> {
    const { session, logger } = this.#options;
    const { next } = await readHorizon(session);
    let mark = await readMark(session);
    if (mark.xid > next) {
      logger.warn(
        { mark: String(mark.xid), next: String(next) },
        "database was moved to another server: outbox begins anew",
      );
      mark = await beginAnew(session, mark);
    }
    this.#mark = this.#cursor = this.#writtenMark = mark;
    this.#heardFrom = next;
    this.#leftUpTo = max(this.#leftUpTo, next);
  }

  /** Takes the messages of a committed transaction of this process. */
  committed(parcel: Parcel): void {
    const { memory } = this.#options;
    // What lies behind the cursor is not read from the table again, so it must be kept here in any case.
    const leave = parcel.xid >= this.#cursor.xid && (memory.full || this.#leaving);
    this.#youngest = max(this.#youngest, parcel.xid);
    if (leave) {
      this.#ownFrom = this.#ownFrom === undefined ? parcel.xid : min(this.#ownFrom, parcel.xid);
      this.#leftUpTo = max(this.#leftUpTo, parcel.xid);
      this.#leaving = true;
      this.#lookWanted = true;
    } else memory.queue(parcel);
    this.#awake.resolve();
  }

  /** Takes a transaction whose end is not known. */
  ended(xid: bigint): void {
    this.#options.memory.doubtful.add(xid);
    this.#youngest = max(this.#youngest, xid);
    this.#awake.resolve();
  }

  /** Another process has left rows in the table. */
  look(): void {
    this.#lookWanted = true;
    this.#awake.resolve();
  }

  end(): void {
    this.#ending.abort();
    this.#awake.resolve();
  }

  /** Runs until the end. Rejects when the session is lost in the middle of something. */
  async run(): Promise<void> {
    const { memory } = this.#options;
    while (!this.#ending.signal.aborted) {
      this.#awake = Promise.withResolvers();
      if (this.#lookIsDue()) await this.#while(() => this.#readTable());
      else if (memory.queuedMessages > 0 && !this.#catchingUp) await this.#while(() => this.#publishQueued());
      else await this.#rest();
    }
  }

  /** Marks what is published, at an orderly end, so that the next holder does not publish it again. */
  async finish(): Promise<void> {
    if (this.#catchingUp) return;
    const { oldest, rows } = await this.#scan();
    const left = rows.find(({ xid }) => !this.#options.memory.knows(xid));
    const last = rows.at(-1);
    if (left !== undefined) this.#cursor = later(this.#cursor, { xid: left.xid, seq: left.seq - 1n });
    else if (last !== undefined && rows.length === ROWS_AT_ONCE) this.#cursor = last;
    else this.#cursor = later(this.#cursor, { xid: oldest, seq: 0n });
    await this.#moveMark();
  }

  /** Rows after the cursor that may not be in memory, of transactions that are all over. */
  async #scan(): Promise<{ oldest: bigint; rows: OutboxRow[] }> {
    const { session, origin } = this.#options;
    const { oldest } = await readHorizon(session);
    const rows = await readRows(session, {
      ...{ after: this.#cursor, below: oldest, notOf: origin, ownFrom: this.#ownFrom, limit: ROWS_AT_ONCE },
    });
    return { oldest, rows };
  }

  async #while(work: () => Promise<void>): Promise<void> {
    this.#busy = true;
    try {
      await work();
    } finally {
      this.#busy = false;
    }
  }

  #lookIsDue(): boolean {
    const idle = this.#catchingUp || this.#options.memory.queuedMessages === 0;
    if (this.#leaving && !idle) return false; // What was left to the table is younger than the queue.
    const dueMs = this.#lookWanted && idle ? 0 : this.#active ? ACTIVE_LOOK_MS : QUIET_LOOK_MS;
    return performance.now() - this.#lookedAtMs >= dueMs;
  }

  /** Something waits for the table, or was published, or rolled back, that the mark in it has not passed yet. */
  get #active(): boolean {
    return this.#catchingUp || this.#youngest >= this.#writtenMark.xid;
  }

  async #rest(): Promise<void> {
    const untilMs = this.#lookedAtMs + (this.#active ? ACTIVE_LOOK_MS : QUIET_LOOK_MS);
    const timer = setTimeout(() => this.#awake.resolve(), Math.max(1, untilMs - performance.now()));
    await this.#awake.promise;
    clearTimeout(timer);
    await new Promise(setImmediate); // What is committed in one turn leaves in one request.
  }

  async #publishQueued(): Promise<void> {
    const { memory } = this.#options;
    const parcels = memory.peek(PUBLISHED_AT_ONCE);
    if (await this.#publish(parcels.flatMap(({ batches }) => batches))) memory.acknowledge(parcels, this.#cursor.xid);
  }

  async #readTable(): Promise<void> {
    const { memory } = this.#options;
    this.#lookWanted = false;
    this.#lookedAtMs = performance.now();
    const { oldest, rows } = await this.#scan();
    const left = rows.filter(({ xid }) => !memory.knows(xid));
    if (!(await this.#publish(batchesOf(left)))) return;
    sweptRows(left.length);
    const last = rows.at(-1);
    if (last !== undefined) this.#youngest = max(this.#youngest, last.xid);
    if (last !== undefined && rows.length === ROWS_AT_ONCE) {
      this.#cursor = last;
      this.#lookWanted = true;
    } else {
      if (!(await this.#resolveDoubts(oldest))) return;
      this.#cursor = later(this.#cursor, { xid: oldest, seq: 0n });
      if (!(await this.#readOwn())) return;
      if (oldest > this.#leftUpTo) this.#ownFrom = undefined;
    }
    memory.forgetBelow(this.#cursor.xid);
    await this.#moveMark();
  }

  /**
   * Publishes what this process has left to the table and what lies behind the oldest running transaction, which may
   * be anybody's on the server: else younger messages would overtake it from memory. Of its own transactions it knows
   * which are open, so none is skipped. @returns false when this relay has ended before.
   */
  async #readOwn(): Promise<boolean> {
    const { session, origin, memory } = this.#options;
    if (!this.#catchingUp && !this.#leaving) return true;
    const below = this.#catchingUp ? this.#heardFrom : this.#leftUpTo + 1n;
    this.#leaving = false; // What is committed from here on waits in memory until this is done, where there is room.
    for (let from = this.#cursor.xid; ; ) {
      if (memory.remembersMost) {
        this.#leaving = true;
        return true; // The rest waits for the oldest running transaction, and what is younger with it.
      }
      const rows = await readOwnRows(session, { origin, from, below, limit: ROWS_AT_ONCE });
      const left = rows.filter(({ xid }) => !memory.knows(xid));
      if (!(await this.#publish(batchesOf(left)))) return false;
      for (const { xid } of left) memory.remember(xid);
      const last = rows.at(-1);
      if (last === undefined) break;
      this.#youngest = max(this.#youngest, last.xid);
      from = last.xid + 1n;
    }
    this.#catchingUp = false;
    return true;
  }

  /** Looks up what became of transactions that ended without word of a commit. */
  async #resolveDoubts(below: bigint): Promise<boolean> {
    const { session, memory } = this.#options;
    const over = [...memory.doubtful].filter((xid) => xid < below);
    if (over.length === 0) return true;
    if (!(await this.#publish(batchesOf(await readTransactions(session, over))))) return false;
    for (const xid of over) memory.doubtful.delete(xid);
    return true;
  }

  async #moveMark(): Promise<void> {
    const pending = this.#options.memory.oldestPending();
    const reached = pending === undefined || pending > this.#cursor.xid ? this.#cursor : { xid: pending, seq: 0n };
    this.#mark = later(this.#mark, reached);
    const moved = this.#mark.xid > this.#writtenMark.xid || this.#mark.seq > this.#writtenMark.seq;
    if (!moved || !this.#active) return;
    await writeMark(this.#options.session, this.#mark);
    this.#writtenMark = this.#mark;
  }
}

function batchesOf(rows: readonly OutboxRow[]): Batch[] {
  return rows.map(({ batch }) => batch);
}

function min(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}

function max(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

function later(one: Place, other: Place): Place {
  return one.xid > other.xid || (one.xid === other.xid && one.seq > other.seq) ? one : other;
}
