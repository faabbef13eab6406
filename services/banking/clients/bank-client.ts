import { Agent, type Dispatcher } from "undici";
import type { BankOperation, BankResponse } from "../domain/call.ts";

const MAX_ANSWER_BYTES = 65_536;
const CONNECT_TIMEOUT_MS = 1_000;

export interface BankClientOptions {
  /** Where the bank's REST API is, as "http://127.0.0.1:9200". */
  url: string;
  /** How long an answer may take, in milliseconds. */
  timeoutMs: number;
  /** Connections to the bank at most. */
  connections: number;
}

export interface BankClient {
  /** Makes one call. Never throws: what went wrong is in the response. */
  call(reference: string, operation: BankOperation): Promise<BankResponse>;
  close(): Promise<void>;
}

function requestOf(
  reference: string,
  operation: BankOperation,
): { method: "GET" | "POST"; path: string; body?: string } {
  const post = (path: string, content: Record<string, unknown>) =>
    ({ method: "POST", path, body: JSON.stringify({ reference, ...content }) }) as const;
  switch (operation.kind) {
    case "verify":
      return post("/v1/account-verifications", { accountNumber: operation.accountNumber });
    case "send": {
      const { accountNumber: creditorAccountNumber, currency, amountMinor, memo } = operation;
      return post("/v1/payments", {
        creditorAccountNumber,
        amount: { currency, minorUnits: amountMinor.toString() },
        memo,
      });
    }
    case "collect": {
      const { accountNumber: debtorAccountNumber, currency, amountMinor, memberId } = operation;
      return post("/v1/debits", {
        debtorAccountNumber,
        memberId,
        amount: { currency, minorUnits: amountMinor.toString() },
      });
    }
    case "inquire":
      return { method: "GET", path: `/v1/payments/${reference}` };
    default:
      return operation satisfies never;
  }
}

/** Codes of a connection that was never made: the bank has seen nothing. */
const NEVER_CONNECTED = new Set(["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

function failed(error: Error): BankResponse {
  const code = "code" in error ? String(error.code) : "";
  return NEVER_CONNECTED.has(code)
    ? { kind: "unreachable", detail: code }
    : { kind: "lost", detail: code || `${error}` };
}

function parsed(status: number, chunks: readonly Buffer[]): BankResponse {
  const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  try {
    return { kind: "answered", status, body: JSON.parse(bytes.toString("utf8")) };
  } catch {
    return { kind: "answered", status, body: undefined };
  }
}

/**
 * Hears one answer. It stands below undici's request(), which makes a stream of each answer and an
 * AbortSignal of each time-out: two thirds of a call's cost in this process, and garbage that lives for
 * as long as the time-out.
 */
class Answer implements Dispatcher.DispatchHandler {
  readonly #resolve: (response: BankResponse) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #over = false;
  #status = 0;
  #size = 0;

  constructor(timeoutMs: number, resolve: (response: BankResponse) => void) {
    this.#resolve = resolve;
    // For the whole answer: a slow drip is no answer either.
    this.#timer = setTimeout(() => this.#giveUp(`no answer within ${timeoutMs} ms`), timeoutMs);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error("its time was over before a connection was free"));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status; // The last one counts: those below 200 come before it.
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > MAX_ANSWER_BYTES) this.#giveUp(`an answer of over ${MAX_ANSWER_BYTES} bytes`);
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#end(parsed(this.#status, this.#chunks));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(failed(error));
  }

  #giveUp(detail: string): void {
    this.#end({ kind: "lost", detail });
    this.#controller?.abort(new Error(detail));
  }

  #end(response: BankResponse): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#resolve(response);
  }
}

const JSON_BODY = { "content-type": "application/json" };

/** Calls a bank's REST API over kept connections. */
export function createBankClient({ url, timeoutMs, connections }: BankClientOptions): BankClient {
  const { origin } = new URL(url);
  const agent = new Agent({
    connections,
    pipelining: 1,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    keepAliveTimeout: 30_000,
  });
  return {
    call(reference, operation) {
      const { method, path, body } = requestOf(reference, operation);
      const headers = body === undefined ? undefined : JSON_BODY;
      return new Promise((resolve) => {
        agent.dispatch({ origin, path, method, body, headers }, new Answer(timeoutMs, resolve));
      });
    },
    close: () => agent.destroy(),
  };
}
