import { randomInt, randomUUID } from "node:crypto";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";

/** One transfer of the workload. It travels through the peers as JSON, so amounts are numbers here, not bigints. */
export interface PeerTransfer {
  /** A UUID, the key by which every step is idempotent. */
  id: string;
  payer: number;
  payee: number;
  amountMinor: number;
}

export type Outcome = "settled" | "failed" | "rejected";

/** The steps of a transfer. Each may be carried out again, at once or later, and has its effect once. */
export interface Steps {
  /** Holds the amount on the payer's account; not ok when the funds do not suffice. */
  reserve(transfer: PeerTransfer): Promise<{ ok: boolean }>;
  /** Asks the other bank. */
  bank(transfer: PeerTransfer): Promise<{ ok: boolean }>;
  settle(transfer: PeerTransfer): Promise<void>;
  release(transfer: PeerTransfer): Promise<void>;
  record(transfer: PeerTransfer, outcome: Outcome): Promise<void>;
}

/** The whole way of a transfer, in steps that a peer has made durable. */
export async function carryOut(steps: Steps, transfer: PeerTransfer): Promise<Outcome> {
  if (!(await steps.reserve(transfer)).ok) {
    await steps.record(transfer, "rejected");
    return "rejected";
  }
  const { ok } = await steps.bank(transfer);
  await (ok ? steps.settle(transfer) : steps.release(transfer));
  const outcome = ok ? "settled" : "failed";
  await steps.record(transfer, outcome);
  return outcome;
}

const COLD_ACCOUNTS = 1_000;
const HOT_ACCOUNTS = 8;
const HOT_PERCENT = 20;
const MAX_AMOUNT_MINOR = 100;

function pickAccount(): number {
  const hot = randomInt(100) < HOT_PERCENT;
  return hot ? COLD_ACCOUNTS + 1 + randomInt(HOT_ACCOUNTS) : 1 + randomInt(COLD_ACCOUNTS);
}

export function makeTransfer(): PeerTransfer {
  const payer = pickAccount();
  let payee = pickAccount();
  while (payee === payer) payee = pickAccount();
  return { id: randomUUID(), payer, payee, amountMinor: 1 + randomInt(MAX_AMOUNT_MINOR) };
}

/** 5 % of all ids: 0.05 of the 65,536 values of their first four digits. */
const FAILING_BELOW = 3_277;
const MAX_BANK_MS = 2;

/**
 * The other bank: answers after 0, 1 or 2 ms, with no HTTP in the way. It refuses 5 % of all transfers,
 * by their id, so that a repeated question gets the same answer.
 */
export async function askBank({ id }: PeerTransfer): Promise<{ ok: boolean }> {
  const takesMs = randomInt(MAX_BANK_MS + 1);
  await (takesMs === 0 ? nextTurn() : pause(takesMs));
  return { ok: Number.parseInt(id.slice(0, 4), 16) >= FAILING_BELOW };
}
