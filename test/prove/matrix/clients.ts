import { setTimeout as pause } from "node:timers/promises";
import { type CallOptions, EdgeCaller, type Reply } from "../../support/client.ts";
import { waitFor } from "../../support/platform.ts";
import type { Random } from "../random.ts";
import type { Entry, Journal } from "./journal.ts";
import { Kept } from "./kept.ts";
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

const NOT_CANCELABLE = /_NOT_CANCELABLE$/;
const stands = ({ status, body }: Reply) => !AGAIN.has(status) || NOT_CANCELABLE.test(body.error?.code);

/** What was to begin at a time, and was not recorded by then. */
const isTooLate = ({ executeAtMs }: Operation, { status, body }: Reply) =>
  status === 400 && body.error?.code === "INVALID_REQUEST" && executeAtMs !== undefined && executeAtMs < Date.now();

export interface ClientsOptions {
  edgeUrl: string;
  journal: Journal;
  random: Random;
}

/** The people who use the platform: they sign up, hold accounts, and send what is asked of them again until it is answered. */
export class Clients {
  readonly edge: EdgeCaller;
  accounts: Accounts = { hot: [], cold: [], poor: [] };
  /** What others than those who pay were told is done. */
  readonly kept = new Kept();
  /** Ids of the members who hear by webhook. */
  readonly subscribers: string[] = [];
  /** What was asked until somebody's patience was at its end, with what came last. */
  readonly givenUp: string[] = [];
  readonly #journal: Journal;
  readonly #random: Random;
  readonly #members: { id: string; email: string; token: string }[] = [];

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
    if (reply.status < 300 && id !== undefined) {
      this.#journal.promised(entry, id);
      if (operation.cancels) await this.#takeBack(entry, `${operation.path}/${id}:cancel`);
    } else if (!isTooLate(operation, reply)) entry.refused = `${reply.status} ${JSON.stringify(reply.body)}`;
    return reply;
  }

  /** Sends an operation, again with the same key as long as that may help. */
  ask(entry: Entry, waitSeconds: number): Promise<Reply | undefined> {
    const { key, member, path, body } = entry.operation;
    const prefer: Record<string, string> = waitSeconds > 0 ? { prefer: `wait=${waitSeconds}` } : {};
    const headers = { "idempotency-key": key, ...prefer };
    return this.#insist(member, path, { headers, body }, () => entry.sent++);
  }

  /** A member who was told that it is taken back, or that it is too late, holds the platform to that. */
  async #takeBack(entry: Entry, path: string): Promise<void> {
    const reply = await this.#insist(entry.operation.member, path, { body: {} });
    if (reply === undefined) entry.refused = "taking it back was never answered";
    else if (reply.status < 300) this.#journal.canceled(entry, "taken back");
    else if (NOT_CANCELABLE.test(reply.body.error?.code)) this.#journal.canceled(entry, "too late");
    else entry.refused = `taking it back: ${reply.status} ${JSON.stringify(reply.body)}`;
  }

  /** Calls until there is an answer that stands. */
  async #insist(
    member: number,
    path: string,
    options: CallOptions,
    sends: () => void = () => {},
  ): Promise<Reply | undefined> {
    const who = this.#members[member]!;
    let last = "no answer";
    for (const until = Date.now() + PATIENCE_MS; Date.now() < until; ) {
      sends();
      const reply = await this.edge.call("POST", path, { ...options, token: who.token }).catch(() => undefined);
      if (reply?.status === 401) await this.#renew(who);
      else if (reply !== undefined && stands(reply)) return reply;
      last = reply === undefined ? "no answer" : `${reply.status} ${reply.body.error?.code}`;
      await pause(50 + this.#random.below(200));
    }
    this.givenUp.push(`${path} (${last})`);
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
