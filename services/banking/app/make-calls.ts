import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import { type BankOperation, type BankResponse, interpret, type Outcome, unknownBank } from "../domain/call.ts";
import { type PaymentFacts, stoppedByVoid, voidAfterAsking, voidByRecords } from "../domain/void.ts";
import type { BankCall, PendingCall } from "./bank-call.ts";
import { createCallQueue } from "./call-queue.ts";
import { createRecordOutcomes, type OutcomeStore } from "./record-outcomes.ts";

interface CallStore extends OutcomeStore {
  /** @returns those that were not recorded before. */
  insertCalls(database: Database, calls: readonly BankCall[], leaseMs: number): Promise<PendingCall[]>;
  renewLeases(tx: Transaction, seqs: readonly bigint[], leaseMs: number): Promise<void>;
  takeOverdueCalls(tx: Transaction, limit: number, leaseMs: number): Promise<PendingCall[]>;
  /** Lets the next look for overdue calls begin later. */
  moveMark(tx: Transaction): Promise<void>;
  /** Whether a bank may have heard of a payment under the call's reference before this call. */
  wasPaidBefore(from: Queryable, call: PendingCall): Promise<boolean>;
  /** Those of the references that are voided. */
  findVoidedReferences(from: Queryable, references: readonly string[]): Promise<Set<string>>;
  /** What is recorded of payments under the call's reference, beside the call. */
  findPaymentFacts(from: Queryable, call: PendingCall): Promise<PaymentFacts>;
}

interface Bank {
  call(reference: string, operation: BankOperation): Promise<BankResponse>;
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

const isPayment = ({ operation: { kind } }: BankCall) => kind === "send" || kind === "collect";

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
  let renewedAtMs = Number.NEGATIVE_INFINITY;
  let closed = false;
  /** What the last sweep takes over: one that is under way at the close may also have kept what nobody begins any more. */
  let sweeping: Promise<readonly PendingCall[]> = Promise.resolve([]);

  const outcomes = createRecordOutcomes({ database, outbox, store, toReply });

  /** Asks the bank of a call. */
  async function ask(call: PendingCall, operation: BankOperation): Promise<Outcome> {
    const bank = banks.get(call.bankCode);
    return bank === undefined
      ? unknownBank(operation.kind, call.bankCode, await store.wasPaidBefore(database, call))
      : interpret(operation.kind, await bank.call(call.reference, operation));
  }

  /** Asks the bank what became of a payment that may have reached it. */
  const askOf = async (call: PendingCall): Promise<Outcome> =>
    banks.has(call.bankCode) ? ask(call, { kind: "inquire" }) : unknownBank("inquire", call.bankCode, true);

  async function carryOut(call: PendingCall): Promise<Outcome> {
    const { operation, voided = false, takenOver = false } = call;
    if (operation.kind === "void") {
      const facts = await store.findPaymentFacts(database, call);
      return voidByRecords(facts) ?? voidAfterAsking(facts, await askOf(call));
    }
    if (voided) return stoppedByVoid(await store.findPaymentFacts(database, call), takenOver);
    return ask(call, operation);
  }

  /** Sets calls on their way. @param atMs When their lease began, at the latest, by performance.now(). */
  function begin(calls: readonly PendingCall[], atMs: number): void {
    for (const call of calls) call.takenAtMs = atMs;
    queue.add(calls);
  }

  /** When the lease of a call began that is held here or just taken over, at the latest, by performance.now(). */
  const leasedAtMs = ({ takenAtMs = Number.NEGATIVE_INFINITY }: PendingCall) => Math.max(takenAtMs, renewedAtMs);

  /**
   * Whether a call's lease is over before its turn: another instance may have it, and a void may count on nobody
   * else's making it. It is left to whoever takes it over. By the clock that only goes on: one that is set back
   * would let a payment leave beside that void.
   */
  const isLeft = (call: PendingCall) => isPayment(call) && performance.now() >= leasedAtMs(call) + leaseMs;

  /** Whether a lease can be given up: with time to spare, as one that is over may be another instance's by now. */
  const isSurelyOurs = (call: PendingCall) => performance.now() < leasedAtMs(call) + leaseMs / 2;

  async function make(call: PendingCall): Promise<void> {
    try {
      const startedAtMs = Date.now();
      if (isLeft(call)) throw new FerryError("UNAVAILABLE", "the call's lease was over before its turn");
      const outcome = await carryOut(call);
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
    if (calls.length === 0) return;
    const atMs = performance.now();
    const fresh = await store.insertCalls(database, calls, closed ? 0 : leaseMs);
    begin(fresh.some(isPayment) ? await withVoids(fresh) : fresh, atMs);
  }

  /**
   * Marks payments whose reference is voided. Whoever records a payment looks for a void after that, and whoever
   * records a void looks for payments after that: so at least one of the two sees the other, whichever instances
   * they come to. A void that sees a payment waits for its end; a payment that sees a void is not made.
   */
  async function withVoids(fresh: PendingCall[]): Promise<PendingCall[]> {
    const references = fresh.filter(isPayment).map(({ reference }) => reference);
    const voided = await store.findVoidedReferences(database, references);
    if (voided.size === 0) return fresh;
    return fresh.map((call) => (isPayment(call) && voided.has(call.reference) ? { ...call, voided: true } : call));
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
      const atMs = performance.now();
      const taking = database.transaction(async (tx) => {
        const [, , taken] = await Promise.all([
          store.renewLeases(tx, queue.heldSeqs(), leaseMs),
          store.moveMark(tx),
          limit === 0 || closed ? [] : store.takeOverdueCalls(tx, limit, leaseMs),
        ]);
        return taken;
      });
      sweeping = taking.catch(() => []);
      const calls = await taking;
      renewedAtMs = atMs;
      begin(calls, atMs);
      return calls.length;
    },

    /** Begins no more calls, lets go of whoever waits for room, and gives what was not begun to the next instance. */
    async close(): Promise<void> {
      closed = true;
      const left = queue.close();
      for (const { id } of left) observers.get(id)?.(stopping());
      const taken = (await sweeping).filter(({ id }) => !queue.holds(id));
      const seqs = [...left, ...taken].filter(isSurelyOurs).map(({ seq }) => seq);
      if (seqs.length > 0) await database.transaction((tx) => store.renewLeases(tx, seqs, 0));
    },

    /** Resolves when no call is under way. */
    whenIdle: () => queue.whenIdle(),
  };
}
