import { type Batcher, createBatcher, type Database, type Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import { type BankResponse, interpret, type Operation, type Outcome, unknownBank } from "../domain/call.ts";
import type { BankCall, FinishedCall } from "./bank-call.ts";

interface CallStore {
  insertCalls(tx: Transaction, calls: readonly BankCall[], leaseMs: number): Promise<Set<string>>;
  takeOverdueCalls(tx: Transaction, limit: number, leaseMs: number): Promise<BankCall[]>;
  finishCalls(tx: Transaction, finished: readonly FinishedCall[]): Promise<Set<string>>;
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
  /** Calls that may wait for their turn before the consumer pauses. Default 2,000. */
  maxQueued?: number;
  /** How long a pending call belongs to the instance that took it, in milliseconds. Default 5,000; above the bank's time-out. */
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

/**
 * Makes calls to banks: records them, makes them with bounded concurrency, and records each outcome
 * together with its reply. The network is never inside a transaction. A slow account holds nobody
 * up: the consumer's set is done once its calls are recorded. What a dead instance left pending is
 * made again; the bank takes a reference once, so that has no second effect.
 */
export function createMakeCalls(deps: MakeCallsDeps) {
  const { database, outbox, store, banks, toReply, failed, made } = deps;
  const { concurrency = DEFAULT_CONCURRENCY, maxQueued = DEFAULT_MAX_QUEUED, leaseMs = DEFAULT_LEASE_MS } = deps;
  const queue: BankCall[] = [];
  const underWay = new Set<string>();
  const observers = new Map<string, (outcome: Outcome | FerryError) => void>();
  let room: PromiseWithResolvers<void> | undefined;
  let running = 0;
  let stopped = false;

  const outcomes: Batcher<FinishedCall, void> = createBatcher({
    run: (finished) =>
      database.transaction(async (tx) => {
        const first = await store.finishCalls(tx, finished);
        const replies = finished.filter(({ call }) => first.has(call.id) && call.route !== undefined);
        await outbox.add(
          tx,
          replies.map(({ call, outcome }) => toReply(call, outcome)),
        );
        return finished.map(() => undefined);
      }),
  });

  async function make(call: BankCall): Promise<void> {
    const startedAtMs = Date.now();
    const bank = banks.get(call.bankCode);
    const outcome =
      bank === undefined
        ? unknownBank(call.bankCode)
        : interpret(call.operation.kind, await bank.call(call.reference, call.operation));
    made?.(call, startedAtMs, outcome);
    try {
      await outcomes.add({ call, outcome, durationMs: Date.now() - startedAtMs });
      observers.get(call.id)?.(outcome);
    } catch (error) {
      failed(error);
      observers.get(call.id)?.(new FerryError("UNAVAILABLE", "the outcome could not be recorded", { cause: error }));
    }
  }

  function next(): void {
    while (!stopped && running < concurrency && queue.length > 0) {
      const call = queue.shift()!;
      running++;
      void make(call).finally(() => {
        running--;
        underWay.delete(call.id);
        next();
      });
    }
    if (queue.length < maxQueued) {
      room?.resolve();
      room = undefined;
    }
  }

  function enqueue(calls: readonly BankCall[]): void {
    for (const call of calls) {
      if (underWay.has(call.id)) continue;
      underWay.add(call.id);
      queue.push(call);
    }
    next();
  }

  return {
    /**
     * Records calls and sets them on their way; resolves when they are recorded and there is room
     * for more. Calls that were recorded before are left out.
     */
    async admit(calls: readonly BankCall[]): Promise<void> {
      const fresh = await database.transaction((tx) => store.insertCalls(tx, calls, leaseMs));
      enqueue(calls.filter(({ id }) => fresh.has(id)));
      if (queue.length < maxQueued) return;
      room ??= Promise.withResolvers<void>();
      await room.promise;
    },

    /** Records one call, makes it and gives its outcome. @throws FerryError UNAVAILABLE when the outcome could not be recorded. */
    async makeOne(call: BankCall): Promise<Outcome> {
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      observers.set(call.id, (result) => (result instanceof FerryError ? reject(result) : resolve(result)));
      try {
        await this.admit([call]);
        return await promise;
      } finally {
        observers.delete(call.id);
      }
    },

    /** Takes over calls that an instance that is gone left pending. @returns how many. */
    async takeOver(): Promise<number> {
      const calls = await database.transaction((tx) => store.takeOverdueCalls(tx, TAKE_OVER_AT_ONCE, leaseMs));
      enqueue(calls);
      return calls.length;
    },

    /** Makes no more calls, and waits for those under way. What was not made stays pending. */
    async stop(): Promise<void> {
      stopped = true;
      room?.resolve();
      while (running > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
}
