import { setTimeout as delay } from "node:timers/promises";
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import { CURRENCY, createAsking } from "./asking.ts";
import type { Calls } from "./calls.ts";
import type { Chance } from "./chance.ts";
import type { Goal, Promises, Wish, WishKind } from "./promises.ts";

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

/** Whether the same request may be sent again in the hope of another answer. */
const mayPass = (error: unknown) =>
  error instanceof FerryError && (error.retryable || error.reason === "DEADLINE_EXCEEDED");

/** The people who use the platform: they ask, do not always hear, and ask again. */
export class Clients {
  readonly promises: Promises;
  readonly accounts: Account[] = [];
  readonly #calls: Calls;
  readonly #asking: ReturnType<typeof createAsking>;
  readonly #chance: Chance;
  #underWay = 0;
  #keys = 0;

  constructor(calls: Calls, promises: Promises, chance: Chance) {
    this.#calls = calls;
    this.#asking = createAsking(calls);
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
    const from: Goal = { kind: "bank", accountNumber: "1100000001" };
    await this.persist(this.#wish("top-up", { id: account!.id, memberId }, from, this.#chance.whole(...FUNDS_MINOR)));
  }

  /** One thing that a client may want, and what may follow from it. */
  async act(): Promise<void> {
    const chance = this.#chance;
    const wish = this.#someWish();
    if (chance.hits(0.15)) {
      this.promises.count("same key at once");
      this.begin(() => this.persist(wish));
    }
    await this.persist(wish, chance.hits(0.3) ? chance.whole(1, 10) * 1_000 : 0);
    if (wish.ids.size === 0) return;
    if (chance.hits(0.15)) await this.#cancel(wish);
    else if (chance.hits(0.2)) await this.#replay(wish);
    if (wish.kind === "payment" && chance.hits(0.8)) await this.#refund(wish);
  }

  /** Asks for a wish until there is an answer, or patience is over. */
  async persist(wish: Wish, waitMs = 0, attempts = ATTEMPTS): Promise<void> {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      try {
        this.promises.told(wish, await this.#asking.ask(wish, waitMs));
        return;
      } catch (error) {
        if (!mayPass(error)) return this.#refused(error);
        this.promises.count("asked again");
      }
      await delay(this.#chance.between(...PAUSE_MS));
    }
  }

  /** Hears what has become of a wish. */
  async look(wish: Wish): Promise<void> {
    const [id] = wish.ids;
    if (id !== undefined) this.promises.told(wish, await this.#asking.look(wish, id));
  }

  #refused(error: unknown): void {
    const reason = error instanceof FerryError ? error.reason : String(error);
    this.promises.count(`refused with ${reason}`);
    if (reason !== "INTERNAL" && error instanceof FerryError) return;
    const cause = error instanceof FerryError ? error.cause : error;
    this.promises.lies.push(`a client was answered ${reason}: ${cause instanceof Error ? cause.stack : cause}`);
  }

  async #cancel(wish: Wish): Promise<void> {
    const [id = ""] = wish.ids;
    await delay(this.#chance.between(0, 1_000));
    try {
      const told = await this.#asking.cancel(wish, id);
      if (told === undefined) return;
      this.promises.count("cancel taken");
      this.promises.told(wish, told);
    } catch (error) {
      this.promises.count(mayPass(error) ? "cancel without an answer" : "cancel refused");
    }
  }

  /** The same key again: the same request gets the same transfer, another one is refused. */
  async #replay(wish: Wish): Promise<void> {
    await delay(this.#chance.between(0, 5_000));
    if (wish.kind === "batch" || this.#chance.hits(0.7)) return this.persist(wish);
    try {
      await this.#asking.ask(wish, 0, wish.amountMinor + 1n);
      this.promises.lies.push(`I3: key ${wish.key} was taken for another request`);
    } catch (error) {
      if (mayPass(error)) return;
      if (!(error instanceof FerryError) || error.reason !== "IDEMPOTENCY_KEY_REUSED")
        this.promises.lies.push(`I3: another request under the key ${wish.key} was answered ${error}`);
      this.promises.count("key used for another request");
    }
  }

  /** The merchant gives back a part, or all, or asks for more than there was. */
  async #refund(payment: Wish): Promise<void> {
    const { goal, amountMinor } = payment;
    const [paymentId = ""] = payment.ids;
    if (goal.kind !== "merchant") return;
    const merchant = this.accounts.find(({ id }) => id === goal.accountId)!;
    for (let count = this.#chance.whole(1, 2); count > 0; count--) {
      await delay(this.#chance.between(200, 6_000));
      // Nobody gives up on a refund: to an account that never answers it would not end.
      const digits = this.#digits().replace("9999", "9505");
      const accountNumber = this.#chance.hits(0.5) ? `2000${digits}` : undefined;
      const part = this.#chance.hits(0.4) ? Number(amountMinor) : this.#chance.whole(1, Number(amountMinor));
      await this.persist(this.#wish("refund", merchant, { kind: "refund", paymentId, accountNumber }, part));
    }
  }

  #someWish(): Wish {
    const chance = this.#chance;
    const payer = this.#someAccount();
    const kind = chance.next();
    if (kind < 0.12) {
      const accountNumber = `${chance.hits(0.8) ? "11" : "22"}0000${this.#digits()}`;
      return this.#wish("top-up", payer, { kind: "bank", accountNumber }, chance.whole(100, 9_000));
    }
    const amount = chance.hits(0.08) ? chance.whole(30_000, 90_000) : chance.whole(1, 6_000);
    if (kind < 0.3) {
      const topUpFrom = chance.hits(0.6) ? `110000${this.#digits()}` : undefined;
      const large = chance.hits(0.4) ? amount * 10 : amount;
      return this.#wish("payment", payer, { kind: "merchant", accountId: this.#other(payer), topUpFrom }, large);
    }
    if (kind < 0.37) {
      const line = () => ({ goal: this.#someGoal(payer), amountMinor: BigInt(chance.whole(1, 3_000)) });
      const lines = Array.from({ length: chance.whole(1, 6) }, line);
      return this.#wish("batch", payer, { kind: "lines", lines, allOrNothing: chance.hits(0.5) }, 0);
    }
    return this.#timed(this.#wish("transfer", payer, this.#someGoal(payer), amount));
  }

  /** Some transfers begin later, some are given up when they are late. */
  #timed(wish: Wish): Wish {
    const chance = this.#chance;
    if (chance.hits(0.1)) wish.executeAtMs = Date.now() + chance.whole(2_000, 15_000);
    if (chance.hits(0.15)) wish.expireAtMs = (wish.executeAtMs ?? Date.now()) + chance.whole(2_000, 30_000);
    return wish;
  }

  #wish(kind: WishKind, { id, memberId }: Account, goal: Goal, amountMinor: number): Wish {
    const key = `wish-${++this.#keys}`;
    return this.promises.wish({ kind, key, memberId, accountId: id, goal, amountMinor: BigInt(amountMinor) });
  }

  /** Two accounts are hot: most of what happens concerns them. */
  #someAccount(): Account {
    return this.#chance.hits(0.6) ? this.accounts[this.#chance.whole(0, 1)]! : this.#chance.pick(this.accounts);
  }

  #other({ id }: Account): string {
    return this.#chance.pick(this.accounts.filter((account) => account.id !== id)).id;
  }

  #someGoal(payer: Account): Goal {
    if (this.#chance.hits(0.35)) return { kind: "account", accountId: this.#other(payer) };
    return { kind: "bank", accountNumber: `2000${this.#digits()}` };
  }

  #digits(): string {
    const plain = this.#chance.hits(PLAIN_SHARE);
    return plain ? String(this.#chance.whole(0, 8_999)).padStart(4, "0") : this.#chance.pick(DIGITS);
  }
}
