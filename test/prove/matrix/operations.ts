import { randomUUID } from "node:crypto";
import { FUNDING, toAccount, toBank } from "../../support/client.ts";
import type { Random } from "../random.ts";

/** Something that a client asks for, under a key of its own. */
export interface Operation {
  /** As "transfer 9500" or "top-up". */
  kind: string;
  key: string;
  /** Number of the member who asks. */
  member: number;
  /** Where it is asked for, as "/v1/transfers". */
  path: string;
  body: object;
  /** Whether it must never end as completed. */
  mustFail: boolean;
  /** Number of the member who is paid, who may refund. */
  merchant?: number;
  /** Whether it is taken back as soon as it is recorded. */
  cancels?: boolean;
  /** When it is to begin: refused when it comes later, by Date.now(). */
  executeAtMs?: number;
}

export interface Account {
  id: string;
  member: number;
}

export interface Accounts {
  hot: readonly Account[];
  cold: readonly Account[];
  /** Without money of their own. */
  poor: readonly Account[];
}

/** Rows of the bank's table by their last four digits, with how many of 1,000 operations go there. */
const ROWS: [digits: string, share: number, mustFail: boolean][] = [
  ["9404", 15, true],
  ["9409", 15, true],
  ["9402", 40, true],
  ["9500", 40, false],
  ["9501", 30, false],
  ["9504", 30, false],
  ["9505", 30, false],
  ["9400", 40, false],
];
/** Of 1,000 operations as well. */
const TOP_UPS = 70;
const WITHIN = 180;
const PAYMENTS = 120;
const BATCHES = 16;
const BATCH_LINES = 6;
const TAKEN_BACK = 60;
const BATCHES_TAKEN_BACK = 40;
const LATER = 30;
/** Of ten payments so many are taken back; those that wait for money of their own most likely in time. */
const PAYMENTS_TAKEN_BACK_OF_TEN = 5;
/** When something begins that is to begin later: soon, or not before it is taken back. */
const SOON_MS = 4_000;
const NOT_SOON_MS = 30_000;
/** Of ten payments so many come from an account without money, and bring in what is missing by themselves. */
const SHORT_OF_TEN = 3;

function chooseAccount({ hot, cold }: Accounts, random: Random): Account {
  return random.next() < 0.5 ? random.pick(hot) : random.pick(cold);
}

export function topUp(account: Account, minorUnits: string): Operation {
  const body = { accountId: account.id, bankAccount: FUNDING, amount: { currency: "EUR", minorUnits } };
  return { kind: "top-up", key: randomUUID(), member: account.member, path: "/v1/top-ups", body, mustFail: false };
}

function transfer(kind: string, payer: Account, body: object, mustFail = false): Operation {
  return { kind, key: randomUUID(), member: payer.member, path: "/v1/transfers", body, mustFail };
}

/** A payment to the account whose bank never answers: it is parked, with its hold. */
export function silentPayment(accounts: Accounts, random: Random): Operation {
  const payer = chooseAccount(accounts, random);
  return transfer("transfer 9999", payer, toBank(payer.id, "2200009999", "7"), true);
}

/** The next operation of the load: most go to a bank, every row of its table comes, some stay on the platform. */
export function nextOperation(accounts: Accounts, random: Random): Operation {
  const payer = chooseAccount(accounts, random);
  const amount = String(1 + random.below(97));
  let lot = random.below(1_000);
  for (const [digits, share, mustFail] of ROWS) {
    if (lot < share)
      return transfer(`transfer ${digits}`, payer, toBank(payer.id, `220000${digits}`, amount), mustFail);
    lot -= share;
  }
  for (const [share, make] of MIX) {
    if (lot < share) return make(accounts, payer, amount, random);
    lot -= share;
  }
  const number = `22${String(random.below(9_000)).padStart(8, "0")}`;
  return transfer("transfer", payer, toBank(payer.id, number, amount));
}

type Make = (accounts: Accounts, payer: Account, amount: string, random: Random) => Operation;

const MIX: [share: number, make: Make][] = [
  [TOP_UPS, (_, payer, amount) => topUp(payer, amount)],
  [WITHIN, within],
  [PAYMENTS, payment],
  [BATCHES, batch],
  [TAKEN_BACK, takenBack],
  [BATCHES_TAKEN_BACK, batchTakenBack],
  [LATER, later],
];

function otherAccount(accounts: Accounts, payer: Account, random: Random, differs: keyof Account = "id"): Account {
  for (;;) {
    const payee = chooseAccount(accounts, random);
    if (payee[differs] !== payer[differs]) return payee;
  }
}

function within(accounts: Accounts, payer: Account, amount: string, random: Random): Operation {
  const payee = otherAccount(accounts, payer, random);
  return transfer("transfer within", payer, toAccount(payer.id, payee.id, amount));
}

function payment(accounts: Accounts, rich: Account, amount: string, random: Random): Operation {
  const short = random.below(10) < SHORT_OF_TEN;
  const payer = short ? random.pick(accounts.poor) : rich;
  const merchant = otherAccount(accounts, payer, random, "member");
  const more = short ? { topUp: { bankAccount: FUNDING } } : {};
  const money = { currency: "EUR", minorUnits: amount };
  const body = { sourceAccountId: payer.id, merchantAccountId: merchant.id, amount: money, ...more };
  return {
    ...{ kind: short ? "payment with top-up" : "payment", key: randomUUID(), path: "/v1/payments", body },
    ...{ member: payer.member, merchant: merchant.member, mustFail: false },
    cancels: random.below(10) < PAYMENTS_TAKEN_BACK_OF_TEN,
  };
}

/** The operation, to begin after so long. */
function after(ms: number, operation: Operation): Operation {
  const executeAtMs = Date.now() + ms;
  const body = { ...operation.body, executeTime: new Date(executeAtMs).toISOString() };
  return { ...operation, kind: `${operation.kind} later`, executeAtMs, body };
}

/** A transfer to a bank that is slow to verify, or one that has not begun, and its payer has other thoughts. */
function takenBack(_: Accounts, payer: Account, amount: string, random: Random): Operation {
  const made = transfer("transfer taken back", payer, toBank(payer.id, "2200009501", amount));
  return { ...(random.next() < 0.5 ? made : after(NOT_SOON_MS, made)), cancels: true };
}

function batchTakenBack(accounts: Accounts, payer: Account, amount: string, random: Random): Operation {
  const made = batch(accounts, payer, amount, random);
  return { ...(random.below(5) === 0 ? made : after(NOT_SOON_MS, made)), cancels: true };
}

function later(accounts: Accounts, payer: Account, amount: string, random: Random): Operation {
  return after(SOON_MS, within(accounts, payer, amount, random));
}

function batch(accounts: Accounts, payer: Account, _amount: string, random: Random): Operation {
  const lines = Array.from({ length: BATCH_LINES }, (_, index) => {
    const [digits] = index === 0 ? ["9402"] : ["1234"];
    const { destination, amount } =
      index % 3 === 0
        ? toBank(payer.id, `220000${digits}`, String(1 + index))
        : toAccount(payer.id, otherAccount(accounts, payer, random).id, String(1 + index));
    return { destination, amount, reference: `line ${index}` };
  });
  const mode = random.next() < 0.5 ? "TRANSFER_BATCH_MODE_ALL_OR_NOTHING" : "TRANSFER_BATCH_MODE_BEST_EFFORT";
  const body = { sourceAccountId: payer.id, mode, lines };
  return {
    kind: "batch",
    key: randomUUID(),
    member: payer.member,
    path: "/v1/transfer-batches",
    body,
    mustFail: false,
  };
}

/** A part of a payment that has come over, back to its payer: on the platform, or to a bank. */
export function refundOf(paid: Operation, paymentId: string, random: Random): Operation {
  const bankAccount = { bankCode: "081", accountNumber: "2200001234" };
  const more = random.next() < 0.5 ? { bankAccount } : {};
  const body = { amount: { currency: "EUR", minorUnits: "1" }, ...more };
  const path = `/v1/payments/${paymentId}/refunds`;
  return { kind: "refund", key: randomUUID(), member: paid.merchant ?? 0, path, body, mustFail: false };
}
