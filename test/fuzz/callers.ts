import { randomUUID } from "node:crypto";
import { EdgeCaller, FUNDING, toAccount } from "../support/client.ts";
import { makeOperator } from "../support/operator.ts";
import type { Platform } from "../support/platform.ts";

/** Tokens by role, the members who must stay able to call, and what exists that requests can be about. */
export interface Callers {
  tokens: Record<"member" | "operator" | "sessions", string[]>;
  members: string[];
  /** By names of parameters in paths, and of fields in bodies. */
  known: { path: Record<string, string>; body: Record<string, unknown> };
}

/** Log-ins of each; what is tried may end some of them. */
const SESSIONS_EACH = 6;

/** Makes a member who has money, transfers and a payment, an operator, and members whose sessions may be ended. */
export async function prepareCallers(platform: Platform): Promise<Callers> {
  const edge = new EdgeCaller(platform.edge);
  const [member, merchant] = [await edge.signUp(), await edge.signUp()];
  const { token } = member;
  const [from, to] = [await edge.openAccount(token), await edge.openAccount(token)];
  const theirs = await edge.openAccount(merchant.token);
  await edge.topUp(token, from, "1000000");
  const { body } = await edge.transfer(token, toAccount(from, to, "100"), { waitSeconds: 5 });
  const amount = { currency: "EUR", minorUnits: "1" };
  const paid = await edge.call("POST", "/v1/payments", {
    token,
    headers: { "idempotency-key": randomUUID(), prefer: "wait=5" },
    body: { sourceAccountId: from, merchantAccountId: theirs, amount },
  });

  const email = `${randomUUID()}@example.com`;
  const password = await makeOperator(platform, email);
  const tokens = { member: [token], operator: [] as string[], sessions: [] as string[] };
  for (let count = 0; count < SESSIONS_EACH; count++) {
    tokens.member.push(await edge.logIn(member.email));
    tokens.operator.push(await edge.logIn(email, password));
    tokens.sessions.push((await edge.signUp()).token);
  }
  const operator = await edge.expect(200, "GET", "/v1/members/me", { token: tokens.operator[0]! });
  return {
    tokens,
    members: [member.id, operator.member.id],
    known: {
      path: { account_id: to, transfer_id: body.data.transfer.id, payment_id: paid.body.data.payment.id },
      body: {
        ...{
          sourceAccountId: from,
          accountId: from,
          merchantAccountId: theirs,
          destination: { accountId: to },
          amount,
        },
        ...{ bankAccount: FUNDING, grantType: "client_credentials", scopes: ["transfers:read"], eventTypes: [] },
      },
    },
  };
}
