import { randomUUID } from "node:crypto";
import { EdgeCaller, toAccount } from "../support/client.ts";
import { makeOperator } from "../support/operator.ts";
import type { Platform } from "../support/platform.ts";

/** Tokens by role, and the members who must stay able to call. */
export interface Callers {
  tokens: Record<"member" | "operator" | "sessions", string[]>;
  members: string[];
}

/** Log-ins of each; what is tried may end some of them. */
const SESSIONS_EACH = 6;

/** Makes a member who has money and a few transfers, an operator, and members whose sessions may be ended. */
export async function prepareCallers(platform: Platform): Promise<Callers> {
  const edge = new EdgeCaller(platform.edge);
  const member = await edge.signUp();
  const [from, to] = [await edge.openAccount(member.token), await edge.openAccount(member.token)];
  await edge.topUp(member.token, from, "1000000");
  for (let count = 0; count < 3; count++)
    await edge.transfer(member.token, toAccount(from, to, "100"), { waitSeconds: 5 });

  const email = `${randomUUID()}@example.com`;
  const password = await makeOperator(platform, email);
  const sessions: string[] = [];
  const tokens = { member: [member.token], operator: [] as string[], sessions };
  for (let count = 0; count < SESSIONS_EACH; count++) {
    tokens.member.push(await edge.logIn(member.email));
    tokens.operator.push(await edge.logIn(email, password));
    sessions.push((await edge.signUp()).token);
  }
  const operator = await edge.expect(200, "GET", "/v1/members/me", { token: tokens.operator[0]! });
  return { tokens, members: [member.id, operator.member.id] };
}
