import { setTimeout as pause } from "node:timers/promises";
import { EdgeCaller, type Reply } from "../../support/client.ts";
import { makeOperator } from "../../support/operator.ts";
import { type Platform, waitFor } from "../../support/platform.ts";
import type { Random } from "../random.ts";
import type { Entry, Journal } from "./journal.ts";
import { type Account, type Accounts, type Operation, topUp } from "./operations.ts";

const MEMBERS = 40;
const SET_UP_AT_ONCE = 16;
const POOR = 8;
const SUBSCRIBERS = 4;
const HOT_FUNDS = "1000000000";
const COLD_FUNDS = "1000000";
/** A client that got no answer for so long stops asking; its operation is looked at with the rest at the end. */
const PATIENCE_MS = 90_000;
/** What may succeed later: also 404, while accounts are looked for in a service that restarts, is not among them. */
const AGAIN = new Set([409, 429, 500, 502, 503, 504]);

export interface ClientsOptions {
  edgeUrl: string;
  journal: Journal;
  random: Random;
}

/** The people who use the platform: they sign up, hold accounts, and send what is asked of them again until it is answered. */
export class Clients {
  readonly edge: EdgeCaller;
  accounts: Accounts = { hot: [], cold: [], poor: [] };
  /** Ids of the members who hear by webhook. */
  readonly subscribers: string[] = [];
  readonly #journal: Journal;
  readonly #random: Random;
  readonly #members: { id: string; email: string; token: string }[] = [];
  #operator: { email: string; password: string; token: string } | undefined;

  constructor({ edgeUrl, journal, random }: ClientsOptions) {
    this.edge = new EdgeCaller(edgeUrl);
    this.#journal = journal;
    this.#random = random;
  }

  /** Signs members up, opens their accounts and funds them by top-ups. */
  async setUp(hot: number, cold: number): Promise<void> {
    const signUps = Array.from({ length: Math.min(MEMBERS, hot + cold) }, (_, index) => index);
    await atOnce(signUps, async (index) => {
      this.#members[index] = await persist("a sign-up", () => this.edge.signUp());
    });
    const open = async (index: number): Promise<Account> => {
      const member = index % this.#members.length;
      const { token } = this.#members[member]!;
      return { member, id: await persist("an account", () => this.edge.openAccount(token)) };
    };
    const numbers = Array.from({ length: hot + cold + POOR }, (_, index) => index);
    const all = await atOnce(numbers, open);
    const rich = all.slice(0, hot + cold);
    this.accounts = { hot: rich.slice(0, hot), cold: rich.slice(hot), poor: all.slice(hot + cold) };
    await atOnce(rich, (account, index) => this.carryOut(topUp(account, index < hot ? HOT_FUNDS : COLD_FUNDS), 20));
  }

  /** Makes an operator, who looks into newcomers. */
  async employ(platform: Platform): Promise<void> {
    const email = "operator@example.com";
    const password = await makeOperator(platform, email);
    this.#operator = { email, password, token: await this.edge.logIn(email, password) };
  }

  /** The operator's token; undefined where there is none. */
  get operatorToken(): string | undefined {
    return this.#operator?.token;
  }

  /** Has the first members hear by webhook of what became of their transfers. */
  async subscribe(url: string): Promise<void> {
    const body = { url, eventTypes: ["transfer.completed"], description: "the proof's" };
    await atOnce(this.#members.slice(0, SUBSCRIBERS), async ({ id, token }) => {
      await persist("an endpoint", () => this.edge.expect(201, "POST", "/v1/webhook-endpoints", { token, body }));
      this.subscribers.push(id);
    });
  }

  /** New tokens for all: those at hand live for ten minutes. */
  async logInAgain(): Promise<void> {
    await atOnce(this.#members, async (member) => {
      member.token = await persist("a log-in", () => this.edge.logIn(member.email));
    });
    if (this.#operator === undefined) return;
    const { email, password } = this.#operator;
    this.#operator.token = await persist("an operator's log-in", () => this.edge.logIn(email, password));
  }

  /**
   * Asks for an operation until it is answered.
   *
   * @returns the answer: recorded or refused for good; undefined when there was none.
   */
  async carryOut(operation: Operation, waitSeconds: number): Promise<Reply | undefined> {
    const entry = await this.#journal.intend(operation);
    const reply = await this.ask(entry, waitSeconds);
    if (reply === undefined) return undefined;
    const { id } = resourceOf(reply);
    if (reply.status < 300 && id !== undefined) this.#journal.promised(entry, id);
    else entry.refused = `${reply.status} ${JSON.stringify(reply.body)}`;
    return reply;
  }

  /** Sends an operation, again with the same key as long as that may help. */
  async ask(entry: Entry, waitSeconds: number): Promise<Reply | undefined> {
    const { key, member, path, body } = entry.operation;
    const who = this.#members[member]!;
    const prefer: Record<string, string> = waitSeconds > 0 ? { prefer: `wait=${waitSeconds}` } : {};
    for (const until = Date.now() + PATIENCE_MS; Date.now() < until; ) {
      entry.sent++;
      const options = { token: who.token, headers: { "idempotency-key": key, ...prefer }, body };
      const reply = await this.edge.call("POST", path, options).catch(() => undefined);
      if (reply?.status === 401) await this.#renew(who);
      else if (reply !== undefined && !AGAIN.has(reply.status)) return reply;
      await pause(50 + this.#random.below(200));
    }
    return undefined;
  }

  async #renew(who: { email: string; token: string }): Promise<void> {
    who.token = await this.edge.logIn(who.email).catch(() => who.token);
  }
}

/** Does a thing again as long as it fails: one that is late on a busy machine must not end the whole proof. */
function persist<T extends NonNullable<unknown>>(what: string, work: () => Promise<T>): Promise<T> {
  let failure: unknown;
  const once = () =>
    work().catch((error: unknown) => {
      failure = error;
      return undefined;
    });
  return waitFor(what, once).catch((error: Error) => {
    throw new Error(`${error.message}: ${String(failure)}`);
  });
}

/** What an answer is about: its id, and its state without the name of its kind, as "COMPLETED". */
export function resourceOf({ body }: Reply): { id?: string; state?: string } {
  const { transfer, topUp, payment, refund, batch } = body.data ?? {};
  const { id, state } = transfer ?? topUp ?? payment ?? refund ?? batch ?? {};
  return typeof id === "string" ? { id, state: String(state).replace(/^[A-Z_]+_STATE_/, "") } : {};
}

/** Works on all items, some at once, and keeps their order. */
export async function atOnce<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
  limit = SET_UP_AT_ONCE,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]!, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
