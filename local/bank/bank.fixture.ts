import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext } from "node:test";
import { startBank } from "./server.ts";

export const TIMEOUTS = { lateMs: 400, silentMs: 10_000 };
/** Long enough for an answer on a busy machine, and shorter than a late one: what is not there then does not come. */
export const PATIENCE_MS = 200;
const root = await mkdtemp(join(tmpdir(), "ferry-bank-"));
after(() => rm(root, { recursive: true, force: true }));

let last = 0;
/** A folder that no other test uses. */
export const newFolder = () => join(root, `bank-${++last}`);

/** Starts a bank that stops with the test, and gives the calls that a customer makes. */
export async function open(t: TestContext, directory = newFolder(), timeouts = TIMEOUTS, port = 0) {
  const bank = await startBank({ directory, port, timeouts });
  let stopped = false;
  const stop = async () => {
    if (!stopped) await bank.stop();
    stopped = true;
  };
  t.after(stop);
  return { ...callerOf(bank), port: bank.port, directory, stop };
}

/** How long an answer is waited for, in milliseconds, or what ends the wait. */
type Patience = number | AbortSignal;
type Answer = { status: number; body: Record<string, unknown> };

export function callerOf({ port, controlPort }: { port: number; controlPort: number }) {
  async function call(
    method: string,
    path: string,
    body?: unknown,
    patience: Patience = 5_000,
    at = port,
  ): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${at}${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? {} : { "content-type": "application/json" },
      signal: typeof patience === "number" ? AbortSignal.timeout(patience) : patience,
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }
  const amount = { currency: "EUR", minorUnits: "1250" };
  return {
    call,
    control: (method: string, body?: unknown) => call(method, "/control/faults", body, 5_000, controlPort),
    verify: (reference: string, accountNumber: string) =>
      call("POST", "/v1/account-verifications", { reference, accountNumber }),
    send: (reference: string, creditorAccountNumber: string, more: object = {}, patience?: Patience) =>
      call("POST", "/v1/payments", { reference, creditorAccountNumber, amount, memo: "rent", ...more }, patience),
    debit: (reference: string, debtorAccountNumber: string, memberId = "ann") =>
      call("POST", "/v1/debits", { reference, debtorAccountNumber, memberId, amount }),
    ask: (reference: string, patienceMs?: number) => call("GET", `/v1/payments/${reference}`, undefined, patienceMs),
    summary: () => call("GET", "/v1/records/summary"),
  };
}

export const statusOf = ({ status, body }: Answer) => `${status} ${body.status ?? body.error}`;
export const isTimeout = { name: "TimeoutError" };
