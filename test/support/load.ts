import { randomUUID } from "node:crypto";
import { type EdgeCaller, type TestMember, type TransferBody, toAccount, toBank } from "./client.ts";
import { waitFor } from "./platform.ts";

/** Members with a funded account each. */
export interface Party extends TestMember {
  accountId: string;
}

const FUNDS_MINOR = "100000000";
const READS_AT_ONCE = 16;
const ENDS = new Set([
  "TRANSFER_STATE_COMPLETED",
  "TRANSFER_STATE_FAILED",
  "TRANSFER_STATE_CANCELED",
  "TRANSFER_STATE_PARKED",
]);

/** Each sign-up hashes a password, on purpose slowly: more at once would only wait for each other, beyond their deadline. */
const SIGN_UPS_AT_ONCE = 4;

export async function makeParties(edge: EdgeCaller, count: number): Promise<Party[]> {
  const parties: Party[] = [];
  while (parties.length < count) {
    const group = Math.min(SIGN_UPS_AT_ONCE, count - parties.length);
    parties.push(...(await Promise.all(Array.from({ length: group }, () => makeParty(edge)))));
  }
  return parties;
}

async function makeParty(edge: EdgeCaller): Promise<Party> {
  const member = await edge.signUp();
  const accountId = await edge.openAccount(member.token);
  const topUp = await edge.topUp(member.token, accountId, FUNDS_MINOR);
  if (topUp.state !== "TOP_UP_STATE_COMPLETED") throw new Error(`the top-up is ${JSON.stringify(topUp)}`);
  return { ...member, accountId };
}

/** The next transfer of a load: three of four go to another bank, one stays on the platform. */
function nextTransfer(parties: readonly Party[], index: number): { payer: Party; body: TransferBody } {
  const payer = parties[index % parties.length]!;
  const payee = parties[(index + 1) % parties.length]!;
  const amount = String(1 + (index % 97));
  if (index % 4 === 3) return { payer, body: toAccount(payer.accountId, payee.accountId, amount) };
  return { payer, body: toBank(payer.accountId, `22${String(index % 9_000).padStart(8, "0")}`, amount) };
}

export interface Promised {
  id: string;
  payer: Party;
}

export interface LoadOptions {
  edge: EdgeCaller;
  parties: readonly Party[];
  transfers: number;
  callers: number;
  /** Seconds that each request waits for its end; 0 does not wait. */
  waitSeconds: number;
  /** Hears of each transfer that was accepted. */
  accepted?(count: number): void;
}

/**
 * Sends transfers from so many callers at once. A request that was not answered, or answered
 * 429 or 503, is sent again with the same key, as a client would.
 *
 * @returns what clients were promised.
 */
export async function sendLoad({
  edge,
  parties,
  transfers,
  callers,
  waitSeconds,
  accepted,
}: LoadOptions): Promise<Promised[]> {
  const promised: Promised[] = [];
  let next = 0;

  async function sendOne(index: number): Promise<void> {
    const { payer, body } = nextTransfer(parties, index);
    const key = randomUUID();
    const id = await waitFor(`transfer ${index} to be accepted`, async () => {
      const reply = await edge.transfer(payer.token, body, { key, waitSeconds }).catch(() => undefined);
      if (reply === undefined || [429, 500, 502, 503, 504].includes(reply.status)) return undefined;
      if (reply.status >= 400) throw new Error(`transfer ${index} was refused: ${JSON.stringify(reply.body)}`);
      return reply.body.data.transfer.id as string;
    });
    promised.push({ id, payer });
    accepted?.(promised.length);
  }

  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < transfers) await sendOne(next++);
    }),
  );
  return promised;
}

/** Waits until every transfer that was promised has come to its end; gives how many ended in which state. */
export async function waitForEnds(
  edge: EdgeCaller,
  promised: readonly Promised[],
  timeoutMs = 90_000,
): Promise<Map<string, number>> {
  const states = new Map<string, number>();
  const open = new Map(promised.map((one) => [one.id, one]));
  const look = async ({ id, payer }: Promised): Promise<void> => {
    const reply = await edge.call("GET", `/v1/transfers/${id}`, { token: payer.token }).catch(() => undefined);
    const state = reply?.body.data?.transfer?.state;
    if (reply?.status !== 200 || !ENDS.has(state)) return;
    open.delete(id);
    states.set(state, (states.get(state) ?? 0) + 1);
  };
  await waitFor(
    "all transfers to end",
    async () => {
      while (open.size > 0) {
        const some = open.values().take(READS_AT_ONCE).toArray();
        await Promise.all(some.map(look));
        if (some.some(({ id }) => open.has(id))) return undefined;
      }
      return true;
    },
    timeoutMs,
  ).catch((error: Error) => {
    throw new Error(`${error.message}: ${open.size} open, as ${[...open.keys()].slice(0, 3).join(", ")}`);
  });
  return states;
}
