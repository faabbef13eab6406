import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newTraceparent, traceIdOf } from "@ferry/platform/telemetry";
import { EdgeClient } from "./client.ts";

/** The member that the launcher made, and what they own. */
export interface Demo {
  email: string;
  password: string;
  accountId: string;
}

export interface FirstTransfer {
  demo: Demo;
  traceId: string;
  transferId: string;
  state: string;
  steps: { name: string; state: string; startTime?: string; endTime?: string; attempts: number }[];
  /** From the request to the answer that told the end. */
  durationMs: number;
}

/** An account at the local bank with a mandate (begins with 11), and one to pay to; both without faults. */
const FUNDING_ACCOUNT = { bankCode: "081", accountNumber: "1100001234" };
const PAYEE_ACCOUNT = { bankCode: "081", accountNumber: "2200004321" };
const WAIT = { prefer: "wait=20" };

/** Signs the demo member up once and logs them in. */
async function logIn(edge: EdgeClient, file: string): Promise<Pick<Demo, "email" | "password">> {
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Demo) : undefined;
  const { email, password } = known ?? {
    email: `demo-${randomBytes(4).toString("hex")}@ferry.example`,
    password: randomBytes(12).toString("base64url"),
  };
  if (known === undefined) {
    await edge.call("POST", "/v1/members", { email, password, displayName: "Demo" });
    writeFileSync(file, JSON.stringify({ email, password }), { mode: 0o600 });
  }
  const session = await edge.call("POST", "/v1/sessions", { email, password }, {}, [401]);
  if (session.status === 401) {
    // They signed up on another database than the one that is used now.
    if (known === undefined) throw new Error("the member who just signed up cannot log in");
    rmSync(file);
    return logIn(edge, file);
  }
  edge.useToken(String(session.data.accessToken));
  return { email, password };
}

/** The demo member's account, opened once. */
async function accountOf(edge: EdgeClient): Promise<string> {
  const accounts = (await edge.call("GET", "/v1/accounts")).data.accounts as { id: string }[];
  const account =
    accounts[0] ?? ((await edge.call("POST", "/v1/accounts", { currency: "EUR" })).data.account as { id: string });
  return account.id;
}

/**
 * Sends one real transfer to another bank through the edge: sign-up, log-in, account, top-up, transfer.
 *
 * @param dataDirectory Where the demo member is remembered, so that the next start goes on with them.
 * @throws when any part of it does not end well.
 */
export async function sendFirstTransfer(edgeUrl: string, dataDirectory: string): Promise<FirstTransfer> {
  const edge = new EdgeClient(edgeUrl);
  const login = await logIn(edge, join(dataDirectory, "demo.json"));
  const accountId = await accountOf(edge);
  const topUp = { accountId, bankAccount: FUNDING_ACCOUNT, amount: { currency: "EUR", minorUnits: "10000" } };
  const toppedUp = await edge.call("POST", "/v1/top-ups", topUp, { ...WAIT, "idempotency-key": randomUUID() });
  const { state: topUpState } = toppedUp.data.topUp as { state: string };
  if (topUpState !== "TOP_UP_STATE_COMPLETED")
    throw new Error(`the top-up is ${topUpState}: ${JSON.stringify(toppedUp.data)}`);

  const traceparent = newTraceparent(true);
  const request = {
    sourceAccountId: accountId,
    destination: { bankAccount: PAYEE_ACCOUNT },
    amount: { currency: "EUR", minorUnits: "2500" },
    memo: "first transfer",
  };
  const startedAt = Date.now();
  const sent = await edge.call("POST", "/v1/transfers", request, {
    ...WAIT,
    "idempotency-key": randomUUID(),
    traceparent,
  });
  const transfer = sent.data.transfer as { id: string; state: string; steps: FirstTransfer["steps"] };
  if (transfer.state !== "TRANSFER_STATE_COMPLETED")
    throw new Error(`the transfer is ${transfer.state}: ${JSON.stringify(transfer)}`);
  return {
    demo: { ...login, accountId },
    traceId: traceIdOf(traceparent) ?? "",
    transferId: transfer.id,
    state: transfer.state,
    steps: transfer.steps,
    durationMs: Date.now() - startedAt,
  };
}
