import { setTimeout as pause } from "node:timers/promises";
import type { Reply } from "../../support/client.ts";
import type { Random } from "../random.ts";
import { type Clients, resourceOf } from "./clients.ts";
import { newcomer } from "./newcomers.ts";
import { nextOperation, type Operation, refundOf, silentPayment } from "./operations.ts";
import { type Walk, Walkers } from "./walkers.ts";

const LONGEST_WAIT_SECONDS = 3;

export interface LoadOptions {
  clients: Clients;
  random: Random;
  callers: number;
  /** Operations that all callers together begin in a second, when they are answered in time. */
  ratePerSecond: number;
  /** Payments to the bank that never answers, at the beginning: they take half a minute to be parked. Default 0. */
  silentPayments?: number;
  /** What others do meanwhile. Default: one newcomer after another, whom no operator looks into. */
  walks?: readonly Walk[];
}

/** So many callers, each with one operation at a time, until it is stopped. */
export class Load {
  /** Operations that were recorded. */
  recorded = 0;
  /** Operations that were refused, by why. */
  readonly refusals = new Map<string, number>();
  unanswered = 0;
  readonly #running: Promise<unknown>;
  readonly #stopping = new AbortController();
  readonly #options: LoadOptions;
  readonly #walkers: Walkers;
  #silent = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    const { clients, walks = [newcomer()] } = options;
    this.#walkers = new Walkers(walks, clients);
    this.#running = Promise.all(Array.from({ length: options.callers }, () => this.#caller()));
  }

  /** Begins no more operations, and waits until those under way are answered. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#running, this.#walkers.stop()]);
  }

  /** What others than those who pay were answered otherwise than was promised. */
  get surprises(): readonly string[] {
    return this.#walkers.surprises;
  }

  async #caller(): Promise<void> {
    const { clients, random, callers, ratePerSecond, silentPayments = 0 } = this.#options;
    const everyMs = (callers / ratePerSecond) * 1_000;
    await this.#pause(random.below(everyMs));
    while (!this.#stopping.signal.aborted) {
      const startedAt = Date.now();
      const silent = this.#silent < silentPayments;
      if (silent) this.#silent++;
      const operation = silent ? silentPayment(clients.accounts, random) : nextOperation(clients.accounts, random);
      const reply = await clients.carryOut(operation, random.below(LONGEST_WAIT_SECONDS));
      if (reply === undefined) this.unanswered++;
      else if (reply.status < 300) {
        this.recorded++;
        await this.#mayRefund(operation, reply);
      } else {
        const why = `${reply.status} ${reply.body.error?.code}`;
        this.refusals.set(why, (this.refusals.get(why) ?? 0) + 1);
      }
      await this.#pause(everyMs * (0.5 + random.next()) - (Date.now() - startedAt));
    }
  }

  /** Most payments that have come over are refunded in part. */
  async #mayRefund(operation: Operation, reply: Reply): Promise<void> {
    const { clients, random } = this.#options;
    const { id, state } = resourceOf(reply);
    if (operation.merchant === undefined || id === undefined || state !== "COMPLETED" || random.below(5) === 0) return;
    const refund = await clients.carryOut(refundOf(operation, id, random), 0);
    if (refund === undefined) this.unanswered++;
    else if (refund.status < 300) this.recorded++;
  }

  async #pause(ms: number): Promise<void> {
    await pause(Math.max(1, ms), undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
