import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { sqlStateOf } from "@ferry/platform/db";
import { credit, hold } from "../../../services/ledger/store/test-ledger.ts";
import type { Dying } from "./dying.ts";
import { type BenchLedger, openAccount } from "./ledgers.ts";

export interface DeathFigures {
  /** From the death of the process until a hold on the payer's account was answered. */
  payerBlockedMs: number;
  /** The same of a credit to the payee. */
  payeeBlockedMs: number;
  /** From the death until the payee has the money, where the payment was answered before it. */
  payeeHasItMs: number | undefined;
  /** The longest that a hold on an account of nobody concerned took meanwhile, in the same shard. */
  othersSlowestMs: number;
}

const GIVE_UP_MS = 60_000;

/** Kills a process in the middle of a settle beside one that lives on, and measures who waits for it. */
export async function measureDeath(ledger: BenchLedger, at: Dying["at"]): Promise<DeathFigures> {
  const { urls, mode } = ledger;
  const payer = await openAccount(ledger, 0, 1_000n);
  const payee = await openAccount(ledger, 1, 0n);
  const other = await openAccount(ledger, 0, 1_000_000n);
  const dying: Dying = { urls, mode, at, payer, payeeId: payee.id };
  const child = fork(new URL("./dying.ts", import.meta.url), [JSON.stringify(dying)]);
  await once(child, "exit");

  const diedAt = performance.now();
  const since = () => Math.round(performance.now() - diedAt);
  let isOver = false;
  const others = (async () => {
    let slowestMs = 0;
    while (!isOver) {
      const before = performance.now();
      await ledger.ledger.send(hold(other, 1n));
      slowestMs = Math.max(slowestMs, performance.now() - before);
      await delay(10);
    }
    return Math.round(slowestMs);
  })();
  const untilAnswered = async (run: () => Promise<unknown>) => {
    for (;;) {
      try {
        await run();
        return since();
      } catch (error) {
        const isBusy = error instanceof Error && "reason" in error && error.reason === "ACCOUNT_BUSY";
        if ((!isBusy && sqlStateOf(error) === "") || since() > GIVE_UP_MS) throw error;
      }
    }
  };
  // One from the payer, and one that the measurement itself credits below.
  const arrived = async () => {
    while ((await ledger.ledger.find(payee.id)).balanceMinor < 2n) await delay(5);
    return since();
  };
  const [payeeHasItMs, payerBlockedMs, payeeBlockedMs] = await Promise.all([
    at === "answered" ? arrived() : undefined,
    untilAnswered(() => ledger.ledger.send(hold(payer, 1n))),
    untilAnswered(() => ledger.ledger.send(credit(payee.id, 1n))),
  ]);
  isOver = true;
  return { payerBlockedMs, payeeBlockedMs, payeeHasItMs, othersSlowestMs: await others };
}
