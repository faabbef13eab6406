import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

/** An answer of the edge, as a plain HTTP client sees it. */
export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes, checked by the assertions of each test
  body: Record<string, any>;
}

export interface CallOptions {
  token?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

/** The account at the local bank that top-ups come from: it has a mandate (begins with 11) and no faults. */
export const FUNDING = { bankCode: "081", accountNumber: "1100001234" };

const PASSWORD = "correct horse battery";

/** Nobody could answer in time, as on a machine that stood still for longer than an rpc's deadline. */
const NOT_IN_TIME = new Set([503, 504]);
/** A process that was killed starts again in a second, or in ten; then callers have to find it. */
const INSIST_FOR_MS = 60_000;
const INSIST_EVERY_MS = 100;
/** Verbs that the contracts let clients repeat: done twice they change nothing. */
const REPEATABLE = /:(suspend|reinstate|freeze|unfreeze|cancel|redrive|acknowledge)$/;

/** A member who signed up through the edge, with an access token. */
export interface TestMember {
  id: string;
  email: string;
  token: string;
}

export interface TransferBody {
  sourceAccountId: string;
  destination: { accountId: string } | { bankAccount: { bankCode: string; accountNumber: string } };
  amount: { currency: string; minorUnits: string };
  memo?: string;
}

/** A call that is over, as its client saw it. */
export interface Called {
  method: string;
  path: string;
  /** Whether it asked to wait for an end. */
  waits: boolean;
  /** Undefined: no answer came. */
  status: number | undefined;
  /** The reason, of an answer that is an error. */
  code: string | undefined;
  tookMs: number;
}

function dataOf(reply: Reply, status: number, what: string): Reply["body"] {
  if (reply.status !== status)
    throw new Error(`${what} answered ${reply.status}, not ${status}: ${JSON.stringify(reply.body)}`);
  return reply.body.data;
}

export class EdgeCaller {
  /** Told of each call. */
  onCalled: (called: Called) => void = () => {};
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Reply> {
    const startedAtMs = performance.now();
    let status: number | undefined;
    let code: string | undefined;
    try {
      const reply = await this.#send(method, path, options);
      status = reply.status;
      code = reply.body?.error?.code;
      return reply;
    } finally {
      const waits = options.headers?.prefer !== undefined;
      this.onCalled({ method, path, waits, status, code, tookMs: performance.now() - startedAtMs });
    }
  }

  /** Calls, again as a client would while nobody can answer in time: only for reads, and for what carries a key. */
  insist(method: string, path: string, options: CallOptions = {}): Promise<Reply> {
    return this.#untilInTime(() => this.call(method, path, options));
  }

  async #untilInTime(call: () => Promise<Reply>): Promise<Reply> {
    for (const untilMs = Date.now() + INSIST_FOR_MS; ; await pause(INSIST_EVERY_MS)) {
      const reply = await call();
      if (!NOT_IN_TIME.has(reply.status) || Date.now() >= untilMs) return reply;
    }
  }

  async #send(method: string, path: string, { token, headers, body }: CallOptions): Promise<Reply> {
    const response = await fetch(this.#base + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? {} : JSON.parse(text) };
  }

  /** Insists on reads, and on what may be repeated. @throws Error with the whole answer when its status is not the one expected. */
  async expect(status: number, method: string, path: string, options: CallOptions = {}): Promise<Reply["body"]> {
    const mayRepeat = method === "GET" || REPEATABLE.test(path);
    const reply = await (mayRepeat ? this.insist(method, path, options) : this.call(method, path, options));
    return dataOf(reply, status, `${method} ${path}`);
  }

  /** Makes something of which another one does no harm: insists, and may leave one that nobody was told of. */
  async #make(path: string, options: () => CallOptions): Promise<Reply["body"]> {
    return dataOf(await this.#untilInTime(() => this.call("POST", path, options())), 201, `POST ${path}`);
  }

  async signUp(): Promise<TestMember> {
    let email = "";
    const { member } = await this.#make("/v1/members", () => {
      email = `${randomUUID()}@example.com`;
      return { body: { email, password: PASSWORD, displayName: "Test" } };
    });
    return { id: member.id, email, token: await this.logIn(email) };
  }

  async logIn(email: string, password = PASSWORD): Promise<string> {
    return (await this.#make("/v1/sessions", () => ({ body: { email, password } }))).accessToken;
  }

  async openAccount(token: string, currency = "EUR"): Promise<string> {
    return (await this.#make("/v1/accounts", () => ({ token, body: { currency } }))).account.id;
  }

  /** Tops an account up and waits for the end; gives the top-up. */
  async topUp(
    token: string,
    accountId: string,
    minorUnits: string,
    bankAccount = FUNDING,
    currency = "EUR",
  ): Promise<Reply["body"]> {
    const reply = await this.insist("POST", "/v1/top-ups", {
      token,
      headers: { "idempotency-key": randomUUID(), prefer: "wait=30" },
      body: { accountId, bankAccount, amount: { currency, minorUnits } },
    });
    return reply.body.data.topUp;
  }

  async balanceOf(token: string, accountId: string): Promise<{ balance: string; available: string }> {
    const { account } = await this.expect(200, "GET", `/v1/accounts/${accountId}`, { token });
    return { balance: account.balance.minorUnits, available: account.available.minorUnits };
  }

  /** Sends money; waits up to so many seconds for the end. */
  transfer(token: string, body: TransferBody, { key = randomUUID() as string, waitSeconds = 0 } = {}): Promise<Reply> {
    const headers = { "idempotency-key": key, ...(waitSeconds > 0 ? { prefer: `wait=${waitSeconds}` } : {}) };
    return this.insist("POST", "/v1/transfers", { token, headers, body });
  }
}

/** A transfer to an account at the local bank, whose last four digits say how it behaves. */
export function toBank(sourceAccountId: string, accountNumber: string, minorUnits: string): TransferBody {
  return {
    sourceAccountId,
    destination: { bankAccount: { bankCode: "081", accountNumber } },
    amount: { currency: "EUR", minorUnits },
  };
}

/** A transfer to another account on the platform. */
export function toAccount(sourceAccountId: string, accountId: string, minorUnits: string): TransferBody {
  return { sourceAccountId, destination: { accountId }, amount: { currency: "EUR", minorUnits } };
}
