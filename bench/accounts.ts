import { randomUUID } from "node:crypto";
import { EdgeCaller } from "../test/support/client.ts";
import type { DriverSetUp, Member } from "./driver/protocol.ts";

/** Sign-up hashes a password with argon2id, which is slow on purpose: so several accounts are a member's. */
const MAX_MEMBERS = 64;
const AT_ONCE = 8;
const PASSWORD = "correct horse battery";
/** Ten million, so that no run empties an account. */
const FUNDS_MINOR = "1000000000";

/** Runs work for each item, so many at once, and keeps the order. */
async function mapAtOnce<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(atOnce, items.length) }, async () => {
      while (next < items.length) {
        const index = next++;
        results[index] = await work(items[index]!, index);
      }
    }),
  );
  return results;
}

async function signUp(edge: EdgeCaller): Promise<Member> {
  const login = { email: `${randomUUID()}@example.com`, password: PASSWORD };
  await edge.expect(201, "POST", "/v1/members", { body: { ...login, displayName: "Payer" } });
  return (await edge.expect(201, "POST", "/v1/sessions", { body: login })) as Member;
}

/** Signs members up and funds so many accounts of theirs by top-ups, all through the edge. */
export async function openAccounts(edgeUrl: string, count: number): Promise<DriverSetUp> {
  const edge = new EdgeCaller(edgeUrl);
  const slots = Array.from({ length: count }, (_, index) => index % MAX_MEMBERS);
  const members = await mapAtOnce(slots.slice(0, MAX_MEMBERS), AT_ONCE, () => signUp(edge));
  const payers = await mapAtOnce(slots, AT_ONCE, async (member) => {
    const token = members[member]!.accessToken;
    const accountId = await edge.openAccount(token);
    const topUp = await edge.topUp(token, accountId, FUNDS_MINOR);
    if (topUp.state !== "TOP_UP_STATE_COMPLETED") throw new Error(`a top-up is ${JSON.stringify(topUp)}`);
    return { accountId, member };
  });
  return { edge: edgeUrl, members, payers };
}
