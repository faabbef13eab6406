import { setTimeout as delay } from "node:timers/promises";
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { PaymentService, type TopUp, TopUpState } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { type Transfer, TransferService, TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import type { Calls } from "./calls.ts";
import type { Chance } from "./chance.ts";
import type { Goal, Promises, Wish } from "./promises.ts";

export const CURRENCY = "EUR";
const BANK_CODE = "081";
/** Every behavior of the bank's table; the plain one more often. */
const DIGITS = ["9404", "9409", "9402", "9500", "9501", "9504", "9505", "9400", "9999"];
const PLAIN_SHARE = 0.45;
const ATTEMPTS = 5;
const PAUSE_MS: readonly [number, number] = [50, 1_500];
const FUNDS_MINOR: readonly [number, number] = [5_000, 40_000];

export interface Account {
  id: string;
  memberId: string;
}

const ENDS_OF_TRANSFERS = new Map<TransferState, string>([
  [TransferState.COMPLETED, "COMPLETED"],
  [TransferState.FAILED, "FAILED"],
  [TransferState.CANCELED, "CANCELED"],
]);
const ENDS_OF_TOP_UPS = new Map<TopUpState, string>([
  [TopUpState.COMPLETED, "COMPLETED"],
  [TopUpState.FAILED, "FAILED"],
]);

/** Whether the same request may be sent again in the hope of another answer. */
const mayPass = (error: unknown) =>
  error instanceof FerryError && (error.retryable || error.reason === "DEADLINE_EXCEEDED");

/** The people who use the platform: they ask, do not always hear, and ask again. */
export class Clients {
  readonly promises: Promises;
  readonly accounts: Account[] = [];
  readonly #calls: Calls;
  readonly #chance: Chance;
  #underWay = 0;
  #keys = 0;

  constructor(calls: Calls, promises: Promises, chance: Chance) {
    this.#calls = calls;
    this.promises = promises;
    this.#chance = chance;
  }

  /** Whether nobody waits for an answer. */
  get atRest(): boolean {
    return this.#underWay === 0;
  }

  /** Runs beside everything else. */
  begin(work: () => Promise<void>): void {
    this.#underWay++;
    void work()
      .catch((error) => this.promises.lies.push(`a client failed: ${error instanceof Error ? error.stack : error}`))
      .finally(() => this.#underWay--);
  }

  /** Opens an account and brings money in. Before anything goes wrong. */
  async openAccount(memberId: string): Promise<void> {
    const ledger = this.#calls.client(LedgerService, "ledger", { kind: "member", id: memberId });
    const { account } = await ledger.openAccount({ currency: CURRENCY });
    this.accounts.push({ id: account!.id, memberId });
    await this.topUp(account!.id, memberId, "1100000001", BigInt(this.#chance.whole(...FUNDS_MINOR)));
  }

  async topUp(accountId: string, memberId: string, accountNumber: string, amountMinor: bigint): Promise<void> {
    const goal: Goal = { kind: "bank", accountNumber };
    const wish = this.promises.wish({ kind: "top-up", key: this.#newKey(), memberId, accountId, goal, amountMinor });
    await this.persist(wish);
  }

  /** One thing that a client may want. */
  async act(): Promise<void> {
    const chance = this.#chance;
    const { id: accountId, memberId } = this.#someAccount();
    if (chance.hits(0.12)) {
      const mandate = chance.hits(0.8) ? "11" : "22";
      return this.topUp(accountId, memberId, `${mandate}0000${this.#digits()}`, BigInt(chance.whole(100, 9_000)));
    }
    const goal = this.#someGoal(accountId);
    const amountMinor = BigInt(chance.hits(0.08) ? chance.whole(30_000, 90_000) : chance.whole(1, 6_000));
    const wish = this.promises.wish({ kind: "transfer", key: this.#newKey(), memberId, accountId, goal, amountMinor });
    if (chance.hits(0.15)) {
      this.promises.count("same key at once");
      this.begin(() => this.persist(wish));
    }
    const waitMs = chance.hits(0.3) ? chance.whole(1, 10) * 1_000 : 0;
    await this.persist(wish, waitMs);
    if (wish.ids.size === 0) return;
    if (chance.hits(0.15)) await this.#cancel(wish);
    else if (chance.hits(0.2)) await this.#replay(wish);
  }

  /** Asks for a wish until there is an answer, or patience is over. */
  async persist(wish: Wish, waitMs = 0, attempts = ATTEMPTS): Promise<void> {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      try {
        await this.#ask(wish, waitMs);
        return;
      } catch (error) {
        if (!mayPass(error)) return this.#refused(wish, error);
        this.promises.count("asked again");
      }
      await delay(this.#chance.between(...PAUSE_MS));
    }
  }

  /** What has become of a wish, as its client is told. @returns its end, when it has come to one. */
  async look(wish: Wish): Promise<string | undefined> {
    const [id] = wish.ids;
    if (id === undefined) return undefined;
    const caller = { kind: "member" as const, id: wish.memberId };
    if (wish.kind === "top-up") {
      const { topUp } = await this.#calls.client(PaymentService, "payment", caller).getTopUp({ topUpId: id });
      return this.#heardOfTopUp(wish, topUp!);
    }
    const { transfer } = await this.#calls.client(TransferService, "transfer", caller).getTransfer({ transferId: id });
    return this.#heardOfTransfer(wish, transfer!);
  }

  async #ask(wish: Wish, waitMs: number, amountMinor = wish.amountMinor): Promise<void> {
    const caller = { kind: "member" as const, id: wish.memberId, idempotencyKey: wish.key, waitMs };
    const amount = { currency: CURRENCY, minorUnits: amountMinor };
    const { goal, accountId } = wish;
    const account = { bankCode: BANK_CODE, accountNumber: goal.kind === "bank" ? goal.accountNumber : "" };
    if (wish.kind === "top-up") {
      const payments = this.#calls.client(PaymentService, "payment", caller);
      const { topUp } = await payments.createTopUp({ accountId, bankAccount: account, amount });
      this.#heardOfTopUp(wish, topUp!);
      return;
    }
    const transfers = this.#calls.client(TransferService, "transfer", caller);
    const kind =
      goal.kind === "bank"
        ? { case: "bankAccount" as const, value: account }
        : { case: "accountId" as const, value: goal.accountId };
    const { transfer } = await transfers.createTransfer({
      sourceAccountId: accountId,
      destination: { kind },
      amount,
      memo: "rent",
    });
    this.#heardOfTransfer(wish, transfer!);
  }

  #heardOfTransfer(wish: Wish, { id, state }: Transfer): string | undefined {
    const end = ENDS_OF_TRANSFERS.get(state);
    this.promises.told(wish, id, end);
    return end;
  }

  #heardOfTopUp(wish: Wish, { id, state }: TopUp): string | undefined {
    const end = ENDS_OF_TOP_UPS.get(state);
    this.promises.told(wish, id, end);
    return end;
  }

  #refused(wish: Wish, error: unknown): void {
    const reason = error instanceof FerryError ? error.reason : String(error);
    wish.refusal = reason;
    this.promises.count(`refused with ${reason}`);
    if (reason === "INTERNAL") {
      const cause = error instanceof FerryError && error.cause instanceof Error ? error.cause.stack : "";
      this.promises.lies.push(`a client was answered INTERNAL: ${cause}`);
    }
  }

  async #cancel(wish: Wish): Promise<void> {
    const [transferId] = wish.ids;
    await delay(this.#chance.between(0, 1_000));
    const transfers = this.#calls.client(TransferService, "transfer", { kind: "member", id: wish.memberId });
    try {
      const { transfer } = await transfers.cancelTransfer({ transferId });
      this.promises.count("cancel taken");
      this.#heardOfTransfer(wish, transfer!);
    } catch (error) {
      this.promises.count(mayPass(error) ? "cancel without an answer" : "cancel refused");
    }
  }

  /** The same key again: the same request gets the same transfer, another one is refused. */
  async #replay(wish: Wish): Promise<void> {
    await delay(this.#chance.between(0, 5_000));
    if (this.#chance.hits(0.7)) return this.persist(wish);
    try {
      await this.#ask(wish, 0, wish.amountMinor + 1n);
      this.promises.lies.push(`key ${wish.key} was taken for another request`);
    } catch (error) {
      if (mayPass(error)) return;
      if (!(error instanceof FerryError) || error.reason !== "IDEMPOTENCY_KEY_REUSED")
        this.promises.lies.push(`another request under the key ${wish.key} was answered ${error}`);
      this.promises.count("key used for another request");
    }
  }

  /** Two accounts are hot: most of what happens concerns them. */
  #someAccount(): Account {
    return this.#chance.hits(0.6) ? this.accounts[this.#chance.whole(0, 1)]! : this.#chance.pick(this.accounts);
  }

  #someGoal(accountId: string): Goal {
    const others = this.accounts.filter(({ id }) => id !== accountId);
    if (this.#chance.hits(0.35)) return { kind: "account", accountId: this.#chance.pick(others).id };
    return { kind: "bank", accountNumber: `2000${this.#digits()}` };
  }

  #digits(): string {
    return this.#chance.hits(PLAIN_SHARE)
      ? String(this.#chance.whole(0, 8_999)).padStart(4, "0")
      : this.#chance.pick(DIGITS);
  }

  #newKey(): string {
    return `wish-${++this.#keys}`;
  }
}
