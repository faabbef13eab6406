import { type Batcher, createBatcher, type Database, type Queryable, type Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import { type BankResponse, interpret, type Operation, type Outcome, unknownBank } from "../domain/call.ts";
import type { BankCall, FinishedCall, PendingCall } from "./bank-call.ts";
import { createCallQueue } from "./call-queue.ts";

interface CallStore {
  /** @returns those that were not recorded before. */
  insertCalls(database: Database, calls: readonly BankCall[], leaseMs: number): Promise<PendingCall[]>;
  renewLeases(tx: Transaction, seqs: readonly bigint[], leaseMs: number): Promise<void>;
  takeOverdueCalls(tx: Transaction, limit: number, leaseMs: number): Promise<PendingCall[]>;
  /** Lets the next look for overdue calls begin later. */
  moveMark(tx: Transaction): Promise<void>;
  /** @returns the numbers of those that were still pending. */
  finishCalls(tx: Transaction, finished: readonly FinishedCall[]): Promise<Set<bigint>>;
  /** Whether a bank may have heard of a payment under the call's reference before this call. */
  wasPaidBefore(from: Queryable, call: PendingCall): Promise<boolean>;
}

interface Bank {
  call(reference: string, operation: Operation): Promise<BankResponse>;
}

export interface MakeCallsDeps {
  database: Database;
  outbox: Outbox;
  store: CallStore;
  /** The banks that the platform has a connection to, by code. */
  banks: ReadonlyMap<string, Bank>;
  /** Makes the reply of a call that came over the bus. */
  toReply(call: BankCall, outcome: Outcome): OutgoingMessage;
  /** Calls under way at once. Default 64. */
  concurrency?: number;
  /** Calls that may wait for their turn before the consumer pauses and callers by rpc are refused. Default 2,000. */
  maxQueued?: number;
  /**
   * How long a pending call belongs to the instance that took it, in milliseconds; each sweep renews
   * it. Default 5,000; above the bank's time-out and the time between sweeps.
   */
  leaseMs?: number;
  /** Hears of each call that was made. */
  made?(call: BankCall, startedAtMs: number, outcome: Outcome): void;
  /** Hears of an outcome that could not be recorded; the call is made again after its lease. */
  failed(error: unknown): void;
}

const DEFAULT_CONCURRENCY = 64;
const DEFAULT_MAX_QUEUED = 2_000;
const DEFAULT_LEASE_MS = 5_000;
const TAKE_OVER_AT_ONCE = 200;

const stopping = () => new FerryError("UNAVAILABLE", "the service is stopping", { retryAfterMs: 1_000 });

/**
 * Makes calls to banks: records them, makes them with bounded concurrency, and records each outcome
 * together with its reply. The network is never inside a transaction. A slow account holds nobody
 * up: the consumer's set is done once its calls are recorded. What a dead instance left pending is
 * made again; the bank takes a reference once, so that has no second effect.
 */
export function createMakeCalls(deps: MakeCallsDeps) {
  const { database, outbox, store, banks, toReply, failed, made } = deps;
  const { concurrency = DEFAULT_CONCURRENCY, maxQueued = DEFAULT_MAX_QUEUED, leaseMs = DEFAULT_LEASE_MS } = deps;
  const observers = new Map<string, (outcome: Outcome | FerryError) => void>();
  const queue = createCallQueue({ make, concurrency, maxQueued });
  let closed = false;

  const outcomes: Batcher<FinishedCall, void> = createBatcher({
    run: (finished) =>
      database.transaction(async (tx) => {
        const first = await store.finishCalls(tx, finished);
        const replies = finished.filter(({ call }) => first.has(call.seq) && call.route !== undefined);
        await outbox.add(
          tx,
          replies.map(({ call, outcome }) => toReply(call, outcome)),
        );
        return finished.map(() => undefined);
      }),
  });

  async function make(call: PendingCall): Promise<void> {
    try {
      const startedAtMs = Date.now();
      const bank = banks.get(call.bankCode);
      const { kind } = call.operation;
      const outcome =
        bank === undefined
          ? unknownBank(kind, call.bankCode, await store.wasPaidBefore(database, call))
          : interpret(kind, await bank.call(call.reference, call.operation));
      made?.(call, startedAtMs, outcome);
      await outcomes.add({ call, outcome, durationMs: Date.now() - startedAtMs });
      observers.get(call.id)?.(outcome);
    } catch (error) {
      failed(error);
      observers.get(call.id)?.(new FerryError("UNAVAILABLE", "the outcome could not be recorded", { cause: error }));
    }
  }

  /** Records calls and sets those on their way that are new. What comes after the close is left to the next instance. */
  async function record(calls: readonly BankCall[]): Promise<void> {
    if (calls.length > 0) queue.add(await store.insertCalls(database, calls, closed ? 0 : leaseMs));
  }

  return {
    /**
     * Records calls and sets them on their way; resolves when they are recorded and there is room
     * for more. Calls that were recorded before are left out.
     */
    async admit(calls: readonly BankCall[]): Promise<void> {
      await record(calls);
      await queue.whenRoom();
    },

    /**
     * Records one call, makes it and gives its outcome.
     *
     * @throws FerryError OVERLOADED when too many wait for their turn, UNAVAILABLE when the service stops
     * or the outcome could not be recorded.
     */
    async makeOne(call: BankCall): Promise<Outcome> {
      if (closed) throw stopping();
      if (queue.free() === 0)
        throw new FerryError("OVERLOADED", "too many calls to banks wait for their turn", { retryAfterMs: 1_000 });
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      promise.catch(() => {}); // Heard below, unless the record fails first.
      observers.set(call.id, (result) => (result instanceof FerryError ? reject(result) : resolve(result)));
      try {
        await record([call]);
        if (closed && !queue.holds(call.id)) throw stopping();
        return await promise;
      } finally {
        observers.delete(call.id);
      }
    },

    /**
     * Keeps the leases of the calls held here, and takes over what an instance that is gone left pending.
     *
     * @returns how many were taken over.
     */
    async sweep(): Promise<number> {
      const limit = Math.min(TAKE_OVER_AT_ONCE, queue.free());
      const calls = await database.transaction(async (tx) => {
        const [, , taken] = await Promise.all([
          store.renewLeases(tx, queue.heldSeqs(), leaseMs),
          store.moveMark(tx),
          limit === 0 || closed ? [] : store.takeOverdueCalls(tx, limit, leaseMs),
        ]);
        return taken;
      });
      queue.add(calls);
      return calls.length;
    },

    /** Begins no more calls, lets go of whoever waits for room, and gives what was not begun to the next instance. */
    async close(): Promise<void> {
      closed = true;
      const left = queue.close();
      for (const { id } of left) observers.get(id)?.(stopping());
      const seqs = left.map(({ seq }) => seq);
      if (seqs.length > 0) await database.transaction((tx) => store.renewLeases(tx, seqs, 0));
    },

    /** Resolves when no call is under way. */
    whenIdle: () => queue.whenIdle(),
  };
}
