import type { Batch } from "./message.ts";

/** The messages of one transaction. */
export interface Parcel {
  xid: bigint;
  /** One for each row that the transaction wrote. */
  batches: Batch[];
  /** Undefined while the transaction is open. */
  committedAtMs?: number;
}

/** Messages that were handed to the server in a transaction whose id has not been heard yet. */
export interface Unheard {
  /** The id is not below this one. */
  from: bigint;
  /** The connection was lost: it never will be heard. */
  lost?: true;
}

export function messagesIn(batches: readonly Batch[]): number {
  return batches.reduce((sum, { messages }) => sum + messages.length, 0);
}

const MAX_QUEUED_MESSAGES = 10_000;
const MAX_REMEMBERED = 100_000;

/**
 * What this process knows about its own transactions while it publishes: which are open, which wait for
 * the broker, which the broker has. What it does not know of is read from the table.
 */
export class Memory {
  /** Messages were added, and the end of the transaction is not known yet. */
  readonly open = new Set<bigint>();
  /** Committed, and not yet acknowledged by the broker. */
  readonly unacknowledged = new Set<bigint>();
  /** May be committed before their ids are heard: COMMIT can leave with the row. */
  readonly unheard = new Set<Unheard>();
  /** Ended without word of a commit: rolled back, or committed while the connection broke. */
  readonly doubtful = new Set<bigint>();
  #queue: Parcel[] = [];
  #queued = 0;
  #acknowledged = new Set<bigint>();

  get full(): boolean {
    return this.#queued >= MAX_QUEUED_MESSAGES || this.remembersMost;
  }

  /** No more can be remembered of what was published ahead of the table. */
  get remembersMost(): boolean {
    return this.#acknowledged.size >= MAX_REMEMBERED;
  }

  get queuedMessages(): number {
    return this.#queued;
  }

  get oldestCommittedAtMs(): number | undefined {
    return this.#queue[0]?.committedAtMs;
  }

  queue(parcel: Parcel): void {
    this.unacknowledged.add(parcel.xid);
    this.#queue.push(parcel);
    this.#queued += messagesIn(parcel.batches);
  }

  /** The oldest parcels, whole, up to about so many messages. They stay until they are acknowledged. */
  peek(limit: number): Parcel[] {
    let count = 0;
    const end = this.#queue.findIndex(({ batches }, index) => {
      count += messagesIn(batches);
      return index > 0 && count > limit;
    });
    return this.#queue.slice(0, end === -1 ? undefined : end);
  }

  /** Takes note that the broker has the parcels that were peeked. @param scannedBelow What the table is not read for any more. */
  acknowledge(parcels: readonly Parcel[], scannedBelow: bigint): void {
    this.#queue.splice(0, parcels.length);
    for (const { xid, batches } of parcels) {
      this.#queued -= messagesIn(batches);
      this.unacknowledged.delete(xid);
      if (xid >= scannedBelow) this.#acknowledged.add(xid);
    }
  }

  /** Takes note that the broker has a transaction of the table's that was read ahead. */
  remember(xid: bigint): void {
    this.#acknowledged.add(xid);
  }

  /** Forgets what the table is not read for any more. */
  forgetBelow(scannedBelow: bigint): void {
    for (const xid of this.#acknowledged) if (xid < scannedBelow) this.#acknowledged.delete(xid);
  }

  /** Whether the rows of a transaction are taken care of by what is in memory. */
  knows(xid: bigint): boolean {
    return this.#acknowledged.has(xid) || this.unacknowledged.has(xid) || this.open.has(xid) || this.doubtful.has(xid);
  }

  /** The oldest transaction whose messages may not be at the broker. */
  oldestPending(): bigint | undefined {
    let oldest: bigint | undefined;
    for (const set of [this.open, this.unacknowledged, this.doubtful])
      for (const xid of set) if (oldest === undefined || xid < oldest) oldest = xid;
    for (const { from } of this.unheard) if (oldest === undefined || from < oldest) oldest = from;
    return oldest;
  }

  /** Another process publishes from now on, from the table. Open transactions are remembered: they still end here. */
  clear(): void {
    this.#queue = [];
    this.#queued = 0;
    this.#acknowledged.clear();
    this.unacknowledged.clear();
    this.doubtful.clear();
    for (const each of this.unheard) if (each.lost) this.unheard.delete(each);
  }
}
