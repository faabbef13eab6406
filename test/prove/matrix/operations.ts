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
  path: "/v1/transfers" | "/v1/top-ups";
  body: object;
  /** Whether it must never end as completed. */
  mustFail: boolean;
}

export interface Account {
  id: string;
  member: number;
}

export interface Accounts {
  hot: readonly Account[];
  cold: readonly Account[];
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
const TOP_UPS = 80;
const WITHIN = 230;

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
  if (lot < TOP_UPS) return topUp(payer, amount);
  if (lot < TOP_UPS + WITHIN) {
    let payee = chooseAccount(accounts, random);
    while (payee.id === payer.id) payee = chooseAccount(accounts, random);
    return transfer("transfer within", payer, toAccount(payer.id, payee.id, amount));
  }
  const number = `22${String(random.below(9_000)).padStart(8, "0")}`;
  return transfer("transfer", payer, toBank(payer.id, number, amount));
}
