import { type Database, openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from "fastify";
import type { EdgeLimits } from "./config.ts";
import { type Budget, createBudget, type Spent, WINDOW_MS } from "./rate-limits/budget.ts";
import { createLeases, type SharedLeases } from "./rate-limits/leases.ts";
import { networkOf } from "./rate-limits/network.ts";
import { createLeaseStore } from "./rate-limits/store/lease-store.ts";
import type { RateClassName } from "./routes.ts";

/**
 * Charges a request to its caller's budget: to the member when the token was good, else to the address. The answer
 * gets the headers RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10).
 *
 * @returns Undefined where nobody waits for anything: there is no limit, or it is counted here.
 * @throws FerryError RATE_LIMITED, which tells the time after which the budget is whole again; or rejects with it.
 */
export type ChargeRate = (
  request: FastifyRequest,
  reply: FastifyReply,
  rateClass: RateClassName,
) => Promise<void> | undefined;

export interface RateLimits {
  charge: ChargeRate;
  /**
   * Charges a request to its address, whoever it is from, before its token is verified or its path looked up.
   * Undefined where there is no such limit.
   */
  addressHook: onRequestHookHandler | undefined;
  /** Requests that were refused, by budget; and what became of leases, where budgets are shared. */
  readonly refused: Readonly<Record<string, number>>;
  readonly leases: SharedLeases["counts"] | undefined;
  start(): Promise<void>;
  /** Gives back what was leased. */
  stop(): Promise<void>;
}

const WINDOW_SECONDS = WINDOW_MS / 1_000;

/** @param storeUrl Where several edges share their budgets; empty: each counts by itself. */
export function createRateLimits(limits: EdgeLimits, storeUrl: string): RateLimits {
  const database = storeUrl === "" ? undefined : openStore(storeUrl);
  const leases =
    database === undefined ? undefined : createLeases(createLeaseStore(database, storeUrl), limits.rateStoreTimeoutMs);
  const all: Budget[] = [];
  const refused: Record<string, number> = {};

  function chargeOf(name: string, max: number, whose: (request: FastifyRequest) => "member" | "address") {
    if (max === 0) return undefined;
    const budget = createBudget(name, max, leases);
    all.push(budget);
    const policy = `"${name}";q=${max};w=${WINDOW_SECONDS}`;
    const tell = (spent: Spent, reply: FastifyReply, who: string): void => {
      const seconds = Math.ceil(spent.resetMs / 1_000);
      reply.header("ratelimit-policy", policy).header("ratelimit", `"${name}";r=${spent.remaining};t=${seconds}`);
      if (spent.allowed) return;
      refused[name] = (refused[name] ?? 0) + 1;
      throw new FerryError("RATE_LIMITED", `too many requests of this ${who}: at most ${max} a minute`, {
        retryAfterMs: spent.resetMs,
      });
    };
    return (request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined => {
      const who = whose(request);
      const caller = who === "member" ? `member ${request.facts.principal?.id}` : `address ${networkOf(request.ip)}`;
      const spent = budget.spend(caller, Date.now());
      if (spent instanceof Promise) return spent.then((awaited) => tell(awaited, reply, who));
      tell(spent, reply, who);
      return undefined;
    };
  }

  const byPrincipal = (request: FastifyRequest) => (request.facts.principal === undefined ? "address" : "member");
  const charges = {
    read: chargeOf("read", limits.rateRead, byPrincipal),
    write: chargeOf("write", limits.rateWrite, byPrincipal),
    login: chargeOf("login", limits.rateLogin, byPrincipal),
  };
  const chargeAddress = chargeOf("address", limits.rateAddress, () => "address");
  leases?.watch((everything) => {
    const parts = all.map((budget) => budget.takeIdle(everything));
    return { idle: parts.flatMap(({ idle }) => idle), held: parts.reduce((sum, { held }) => sum + held, 0) };
  });
  return {
    charge: (request, reply, rateClass) => charges[rateClass]?.(request, reply),
    addressHook: chargeAddress === undefined ? undefined : hookOf(chargeAddress),
    refused,
    leases: leases?.counts,
    start: async () => leases?.start(),
    async stop() {
      await leases?.stop();
      await database?.close();
    },
  };
}

/** What an orchestrator asks must be answered to whoever asks, however often. */
const PROBES = ["/livez", "/readyz"];

function hookOf(charge: (request: FastifyRequest, reply: FastifyReply) => Promise<void> | undefined) {
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    if (PROBES.includes(request.raw.url ?? "")) {
      done();
      return;
    }
    let charged: Promise<void> | undefined;
    try {
      charged = charge(request, reply);
    } catch (error) {
      done(error as Error);
      return;
    }
    if (charged === undefined) done();
    else charged.then(() => done(), done);
  };
}

/** Leases are few and small: what waits long for one of these connections is counted without the store. */
function openStore(url: string): Database {
  return openDatabase({
    ...{ url, name: "edge-rates", maxConnections: 2, maxWaiting: 64 },
    ...{ connectTimeoutMs: 1_000, transactionTimeoutMs: 1_000 },
  });
}
