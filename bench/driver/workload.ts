import { randomUUID } from "node:crypto";
import type { HttpRequest } from "./http.ts";
import type { Mix, Payer } from "./protocol.ts";

/** One request of a load. */
export type Order =
  | { kind: "transfer"; member: number; request: HttpRequest }
  | { kind: "read"; member: number; request: HttpRequest };

export interface Workload {
  next(): Order;
  /** Whether `ended` wants to hear of transfers. */
  remembers: boolean;
  /** A transfer ended well; reads ask for it. */
  ended(transferId: string, member: number): void;
}

const HOT_ACCOUNTS = 8;
const READS_PER_TRANSFER = 9;
const MAX_RECENT = 1_024;
const WAIT = "wait=20";
/** Numbers of accounts at the local bank whose last four digits are below 9000 do as they are told. */
const GOOD_ENDINGS = 9_000;
const MOST_MINOR = 97;

/** A generator of numbers below a bound, the same for the same seed (xorshift32; Marsaglia 2003). */
export function createNumbers(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/**
 * Makes the requests of a mix. Payers, payees and amounts are drawn by chance, the same for the same seed.
 *
 * @param authorizationOf the header of a member, asked for at each request.
 */
export function createWorkload(
  mix: Mix,
  payers: readonly Payer[],
  authorizationOf: (member: number) => string,
  seed = 20_261_121,
): Workload {
  const draw = createNumbers(seed);
  const recent: { id: string; member: number }[] = [];
  let count = 0;
  let ends = 0;

  function drawPayer(): Payer {
    const hot = mix === "hot" && count % 2 === 0;
    return payers[draw(hot ? Math.min(HOT_ACCOUNTS, payers.length) : payers.length)]!;
  }

  function destination(payer: Payer): string {
    if (mix !== "internal") {
      const number = `22${String(draw(GOOD_ENDINGS)).padStart(8, "0")}`;
      return `{"bankAccount":{"bankCode":"081","accountNumber":"${number}"}}`;
    }
    const index = draw(payers.length);
    const payee = payers[index] === payer ? payers[(index + 1) % payers.length]! : payers[index]!;
    return `{"accountId":"${payee.accountId}"}`;
  }

  function transfer(): Order {
    const payer = drawPayer();
    const body = `{"sourceAccountId":"${payer.accountId}","destination":${destination(payer)},"amount":{"currency":"EUR","minorUnits":"${1 + draw(MOST_MINOR)}"},"memo":"Invoice 2026/${count % 1_000}"}`;
    const headers = {
      "content-type": "application/json",
      authorization: authorizationOf(payer.member),
      "idempotency-key": randomUUID(),
      prefer: WAIT,
    };
    return {
      kind: "transfer",
      member: payer.member,
      request: { method: "POST", path: "/v1/transfers", headers, body },
    };
  }

  function read(): Order {
    const known = recent[draw(Math.max(1, recent.length))];
    const payer = payers[draw(payers.length)]!;
    const kind = draw(4);
    const member = kind === 0 && known !== undefined ? known.member : payer.member;
    const path =
      kind === 0 && known !== undefined
        ? `/v1/transfers/${known.id}`
        : kind === 1
          ? "/v1/transfers?page_size=20"
          : kind === 2
            ? `/v1/accounts/${payer.accountId}/entries?page_size=20`
            : `/v1/accounts/${payer.accountId}`;
    return {
      kind: "read",
      member,
      request: { method: "GET", path, headers: { authorization: authorizationOf(member) } },
    };
  }

  return {
    remembers: mix === "reads",
    next() {
      count++;
      return mix === "reads" && count % (READS_PER_TRANSFER + 1) !== 0 ? read() : transfer();
    },
    ended(id, member) {
      recent[ends++ % MAX_RECENT] = { id, member };
    },
  };
}
