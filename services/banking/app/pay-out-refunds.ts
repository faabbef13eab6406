import { RefundNotPaidOutSchema, RefundPaidOutSchema } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { create } from "@ferry/platform/codec";
import { type Batcher, createBatcher, type Database, type Transaction } from "@ferry/platform/db";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { Operation, Outcome } from "../domain/call.ts";
import { pauseMsAfter, verdictOf } from "../domain/payout.ts";
import type { BankCall } from "./bank-call.ts";
import type { DuePayout, NewPayout, PayoutChange, PayoutEnd } from "./payout.ts";

interface PayoutStore {
  /** Records payouts; those that are recorded already stay as they are. */
  insertPayouts(tx: Transaction, payouts: readonly NewPayout[]): Promise<void>;
  /** Those of the refunds whose payouts have ended, and how. */
  findEndedPayouts(tx: Transaction, refundIds: readonly string[]): Promise<PayoutEnd[]>;
  /** Takes payouts that are due, for a lease. */
  takeDuePayouts(tx: Transaction, limit: number, leaseMs: number): Promise<DuePayout[]>;
  /** Writes what became of calls; gives the refunds whose payouts were still under way. */
  savePayouts(tx: Transaction, changes: readonly PayoutChange[]): Promise<Set<string>>;
}

export interface PayOutRefundsDeps {
  database: Database;
  outbox: Pick<Outbox, "add">;
  store: PayoutStore;
  /** Records one call, makes it and gives its outcome. */
  makeOne(call: BankCall): Promise<Outcome>;
  /** How long a payout belongs to whoever took it, in milliseconds: longer than a call may take. */
  leaseMs: number;
  /** From 0 to 1. */
  random(): number;
  /** Hears of a payout whose outcome is not known after many calls. */
  delayed(payout: DuePayout): void;
  /** Hears of what went wrong for now; it is tried again. */
  failed(error: unknown): void;
}

/** Calls for payouts under way at once. */
const CONCURRENCY = 32;
/** Longest time between two looks for payouts that are due, as those that an instance that is gone has left. */
const LOOK_EVERY_MS = 2_000;
/** From this many calls on, each is worth a person's look. */
const MANY_ATTEMPTS = 10;

function eventOf({ payout, failure }: PayoutEnd): OutgoingMessage {
  const { refundId, paymentId, merchantAccountId, bankCode, accountNumber, currency, amountMinor, traceparent } =
    payout;
  if (failure === undefined) {
    const message = create(RefundPaidOutSchema, { refundId, paymentId, version: 1n });
    return { id: `${refundId}:paid-out`, schema: RefundPaidOutSchema, message, traceparent };
  }
  const message = create(RefundNotPaidOutSchema, {
    ...{ refundId, paymentId, merchantAccountId, failure, version: 1n },
    bankAccount: { bankCode, accountNumber },
    amount: { currency, minorUnits: amountMinor },
  });
  return { id: `${refundId}:not-paid-out`, schema: RefundNotPaidOutSchema, message, traceparent };
}

function operationOf({ next, accountNumber, currency, amountMinor, memo }: DuePayout): Operation {
  return next === "inquire" ? { kind: "inquire" } : { kind: "send", accountNumber, currency, amountMinor, memo };
}

/**
 * Banking's part in a refund, which nobody coordinates: it pays out what the ledger has booked, asks by
 * itself for outcomes that are not known, and says how it ended. The payout is recorded before the bank
 * hears of it, and its attempt is counted before the call: after a crash the bank is asked first.
 */
export function createPayOutRefunds(deps: PayOutRefundsDeps) {
  const { database, outbox, store, makeOne, leaseMs, random, delayed, failed } = deps;
  const underWay = new Set<Promise<void>>();
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let timer: NodeJS.Timeout | undefined;
  let timerAtMs = 0;
  let stopped = false;

  const saved: Batcher<PayoutChange, void> = createBatcher({
    run: (changes) =>
      database.transaction(async (tx) => {
        const fresh = await store.savePayouts(tx, changes);
        const ends = changes.flatMap((change) =>
          "next" in change || !fresh.has(change.payout.refundId) ? [] : [change],
        );
        if (ends.length > 0) await outbox.add(tx, ends.map(eventOf));
        return changes.map(() => undefined);
      }),
  });

  async function attempt(payout: DuePayout): Promise<void> {
    const { refundId: reference, bankCode, attempts, traceparent } = payout;
    if (attempts >= MANY_ATTEMPTS) delayed(payout);
    const operation = operationOf(payout);
    const id = `${reference}:refund:${operation.kind}:${attempts}`;
    const outcome = await makeOne({ id, reference, bankCode, operation, route: undefined, traceparent });
    const verdict = verdictOf(outcome, attempts);
    if (verdict.kind !== "again") {
      await saved.add({ payout, failure: verdict.kind === "paid" ? undefined : verdict.failure });
      return;
    }
    const pauseMs = pauseMsAfter(attempts, random());
    await saved.add({ payout, next: verdict.next, pauseMs });
    lookIn(pauseMs);
  }

  function begin(payout: DuePayout): void {
    const work = attempt(payout).catch(failed);
    underWay.add(work);
    void work.then(() => underWay.delete(work) && lookAgain && look());
  }

  async function takeAll(): Promise<void> {
    while (lookAgain && !stopped && underWay.size < CONCURRENCY) {
      lookAgain = false;
      const limit = CONCURRENCY - underWay.size;
      const due = await database.transaction((tx) => store.takeDuePayouts(tx, limit, leaseMs));
      for (const payout of due) begin(payout);
      lookAgain ||= due.length === limit;
    }
  }

  /** Looks for what is due now; while that is done, a further look follows it. */
  function look(): void {
    lookAgain = true;
    looking ??= takeAll()
      .catch(failed)
      .then(() => {
        looking = undefined;
        lookIn(LOOK_EVERY_MS);
      });
  }

  function lookIn(delayMs: number): void {
    if (stopped) return;
    const atMs = Date.now() + delayMs;
    if (timer !== undefined && timerAtMs <= atMs) return;
    clearTimeout(timer);
    timerAtMs = atMs;
    timer = setTimeout(() => {
      timer = undefined;
      look();
    }, delayMs);
  }

  return {
    name: "refund-payouts",
    /** Records what the ledger has booked; of what has ended already, the end is said again. */
    async admit(payouts: readonly NewPayout[]): Promise<void> {
      if (payouts.length === 0) return;
      await database.transaction(async (tx) => {
        await store.insertPayouts(tx, payouts);
        const ended = await store.findEndedPayouts(
          tx,
          payouts.map(({ refundId }) => refundId),
        );
        if (ended.length > 0) await outbox.add(tx, ended.map(eventOf));
        tx.afterCommit(look);
      });
    },
    async start() {
      look();
    },
    /** Begins no more; what is under way ends. */
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await looking;
      await Promise.all(underWay);
    },
  };
}
