import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { type Database, newUuid, type Session, type Transaction, type TransactionEnd } from "@ferry/platform/db";
import type { Bus } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import type { Logger } from "@ferry/platform/telemetry";
import { Memory, type Parcel, type Unheard } from "./memory.ts";
import { type Batch, newBatch, toStored } from "./message.ts";
import { showOutbox } from "./metrics.ts";
import { Relay } from "./relay.ts";
import { CHANNEL, deleteOld, insertRow, listen, notify, readMark, tryLock } from "./store.ts";
import type { Outbox, OutboxStats, OutgoingMessage } from "./types.ts";

export interface OutboxOptions {
  database: Database;
  bus: Pick<Bus, "publish">;
  /** Goes into each message as ce_source, as "ferry/ledger". */
  source: string;
  logger: Logger;
}

const LOCK_RETRY_MS = 1_000;
const DRAIN_MS = 2_000;
const DRAIN_LOOK_MS = 5;
const RELEASE_MS = 500;
const KEPT_DAYS = 7;
const PURGE_EVERY_MS = 10 * 60_000;
const PURGE_CHUNK_ROWS = 5_000;

class PostgresOutbox implements Outbox, Component {
  readonly name = "outbox";
  readonly #options: OutboxOptions;
  /** Names this process in the table: what an earlier life wrote is another's. */
  #origin = newUuid();
  readonly #memory = new Memory();
  readonly #parcels = new WeakMap<Transaction, Parcel>();
  readonly #gathering = new WeakMap<Transaction, { batch: Batch; written: Promise<void> }>();
  readonly #stopping = new AbortController();
  #relay: Relay | undefined;
  /** Something that was written under the present name may be committed, and nobody here knows its id. */
  #mustBeginAnew = false;
  #running: Promise<void> | undefined;
  #purging: NodeJS.Timeout | undefined;
  #notifying = false;
  #unready: string | undefined = "not started";

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  async add(tx: Transaction, messages: readonly OutgoingMessage[]): Promise<void> {
    if (messages.length === 0) return;
    const stored = messages.map(toStored);
    let gathering = this.#gathering.get(tx);
    if (gathering === undefined) {
      const batch = newBatch(this.#options.source, new Date());
      gathering = { batch, written: Promise.resolve().then(() => this.#write(tx, batch)) };
      this.#gathering.set(tx, gathering);
    }
    gathering.batch.messages.push(...stored);
    await gathering.written;
  }

  /** Writes what was added in one turn as one row. */
  async #write(tx: Transaction, batch: Batch): Promise<void> {
    this.#gathering.delete(tx);
    const unheard = { from: this.#relay?.overBelow ?? 0n };
    this.#memory.unheard.add(unheard);
    // Heard or not by then; without an answer only one that may be committed counts.
    tx.afterEnd((end) => this.#forget(unheard, end));
    const xid = await insertRow(tx, this.#origin, batch);
    this.#memory.unheard.delete(unheard);
    const parcel = this.#parcels.get(tx);
    if (parcel !== undefined) {
      parcel.batches.push(batch);
      return;
    }
    const opened: Parcel = { xid, batches: [batch] };
    this.#parcels.set(tx, opened);
    this.#memory.open.add(xid);
    tx.afterCommit(() => this.#committed(opened));
    tx.afterEnd(() => this.#ended(opened));
  }

  async acknowledgedBelow(): Promise<bigint> {
    return (this.#relay?.mark ?? (await readMark(this.#options.database))).xid;
  }

  stats(): OutboxStats {
    const oldest = this.#memory.oldestCommittedAtMs;
    return {
      pending: this.#memory.queuedMessages,
      oldestAgeMs: oldest === undefined ? 0 : Date.now() - oldest,
      relaying: this.#relay !== undefined,
    };
  }

  async start(): Promise<void> {
    this.#unready = "not connected";
    this.#running = this.#run();
    this.#purging = setInterval(() => void this.#purge(), PURGE_EVERY_MS).unref();
  }

  /** Publishes what is committed, for two seconds at most; the rest is in the table for whoever comes next. */
  async stop(): Promise<void> {
    clearInterval(this.#purging);
    for (const endMs = performance.now() + DRAIN_MS; performance.now() < endMs; ) {
      if (this.#relay === undefined || this.#relay.drained) break;
      await delay(DRAIN_LOOK_MS);
    }
    this.#stopping.abort();
    this.#relay?.end();
    await this.#running;
  }

  unready(): string | undefined {
    return this.#unready;
  }

  #committed(parcel: Parcel): void {
    this.#memory.open.delete(parcel.xid);
    parcel.committedAtMs = Date.now();
    if (this.#relay !== undefined) this.#relay.committed(parcel);
    else void this.#tellHolder();
  }

  /**
   * Of a row that may be committed under an id that was never heard, only the table knows: this process goes on under
   * another name, and reads what it wrote under the old one as it reads what others write. Some of it comes twice.
   */
  #forget(unheard: Unheard, end: TransactionEnd): void {
    if (!this.#memory.unheard.has(unheard)) return;
    if (end === "unknown") this.#origin = newUuid();
    if (end !== "unknown" || this.#relay === undefined) {
      this.#memory.unheard.delete(unheard);
      return;
    }
    unheard.lost = true; // Until this process has begun anew the mark stays before it.
    this.#mustBeginAnew = true;
    this.#relay.end();
  }

  #ended({ xid, committedAtMs }: Parcel): void {
    this.#memory.open.delete(xid);
    if (committedAtMs === undefined) this.#relay?.ended(xid);
  }

  /** Wakes the process that publishes. When this fails, it looks by itself within seconds. */
  async #tellHolder(): Promise<void> {
    if (this.#notifying) return;
    this.#notifying = true;
    await new Promise(setImmediate);
    this.#notifying = false;
    await notify(this.#options.database).catch(() => {});
  }

  async #run(): Promise<void> {
    const { database, logger } = this.#options;
    while (!this.#stopping.signal.aborted) {
      let session: Session | undefined;
      try {
        session = await database.session();
        await this.#serve(session);
      } catch (error) {
        this.#unready = "the database cannot be reached";
        if (!this.#stopping.signal.aborted) logger.warn({ error: String(error) }, "outbox has lost its session");
      } finally {
        this.#relay = undefined;
        this.#memory.clear();
        this.#mustBeginAnew = false;
        await Promise.race([session?.release().catch(() => {}), delay(RELEASE_MS)]);
      }
      await this.#wait(LOCK_RETRY_MS);
    }
  }

  /** Waits for the lock on a session, and publishes as long as it holds. */
  async #serve(session: Session): Promise<void> {
    const { bus, logger } = this.#options;
    let over = false;
    void session.ended.then(() => {
      over = true;
    });
    while (!(await tryLock(session))) {
      this.#unready = undefined;
      await this.#wait(LOCK_RETRY_MS);
      if (this.#stopping.signal.aborted || over) return;
    }
    session.onNotification((channel) => {
      if (channel === CHANNEL) this.#relay?.look();
    });
    await listen(session);
    const relay = new Relay({ session, bus, origin: this.#origin, memory: this.#memory, logger });
    this.#relay = relay;
    await relay.prepare();
    this.#unready = undefined;
    logger.debug({}, "outbox publishes for this database");
    if (this.#stopping.signal.aborted) relay.end();
    await relay.run();
    if (!over && !this.#mustBeginAnew) await relay.finish();
  }

  async #wait(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  async #purge(): Promise<void> {
    const { database, logger } = this.#options;
    if (this.#relay === undefined) return;
    try {
      const below = this.#relay.mark.xid;
      while ((await deleteOld(database, below, KEPT_DAYS, PURGE_CHUNK_ROWS)) === PURGE_CHUNK_ROWS);
    } catch (error) {
      logger.warn({ error: String(error) }, "old outbox rows could not be deleted now");
    }
  }
}

/**
 * The outbox of a service over its own database and the bus.
 *
 * Messages can be added at once; they are published from `start` on. At least once: a message comes twice
 * only after a crash, or when the lock passes to another process.
 */
export function createOutbox(options: OutboxOptions): Outbox & Required<Component> & { stats(): OutboxStats } {
  const outbox = new PostgresOutbox(options);
  let hide = () => {};
  return {
    name: outbox.name,
    add: (tx, messages) => outbox.add(tx, messages),
    acknowledgedBelow: () => outbox.acknowledgedBelow(),
    stats: () => outbox.stats(),
    start() {
      hide = showOutbox(options.source, () => outbox.stats());
      return outbox.start();
    },
    stop() {
      hide();
      return outbox.stop();
    },
    unready: () => outbox.unready(),
  };
}
