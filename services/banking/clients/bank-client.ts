import { Agent, type Dispatcher } from "undici";
import type { BankResponse, Operation } from "../domain/call.ts";

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
  call(reference: string, operation: Operation): Promise<BankResponse>;
  close(): Promise<void>;
}

function requestOf(reference: string, operation: Operation): { method: "GET" | "POST"; path: string; body?: string } {
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

function failed(error: unknown, timeoutMs: number): BankResponse {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (NEVER_CONNECTED.has(code)) return { kind: "unreachable", detail: code };
  const timedOut = error instanceof Error && error.name === "TimeoutError";
  return { kind: "lost", detail: timedOut ? `no answer within ${timeoutMs} ms` : code || String(error) };
}

async function readAnswer(response: Dispatcher.ResponseData): Promise<BankResponse> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error(`an answer of over ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return { kind: "answered", status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString("utf8")) };
  } catch {
    return { kind: "answered", status: response.statusCode, body: undefined };
  }
}

/** Calls a bank's REST API over kept connections. */
export function createBankClient({ url, timeoutMs, connections }: BankClientOptions): BankClient {
  const agent = new Agent({
    connections,
    pipelining: 1,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    keepAliveTimeout: 30_000,
  });
  const origin = new URL(url).origin;
  return {
    async call(reference, operation) {
      const { method, path, body } = requestOf(reference, operation);
      const headers = body === undefined ? undefined : { "content-type": "application/json" };
      try {
        const signal = AbortSignal.timeout(timeoutMs); // For the whole answer: a slow drip is no answer either.
        return await readAnswer(await agent.request({ origin, path, method, body, headers, signal }));
      } catch (error) {
        return failed(error, timeoutMs);
      }
    },
    close: () => agent.destroy(),
  };
}
