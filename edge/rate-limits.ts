import rateLimit from "@fastify/rate-limit";
import { FerryError } from "@ferry/platform/errors";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { EdgeLimits } from "./config.ts";
import type { RateClassName } from "./routes.ts";

const WINDOW_MS = 60_000;
/** Callers that are counted at once; the one that was seen longest ago is forgotten first. */
const MAX_CALLERS = 20_000;

/**
 * Charges a request to its caller's budget: to the member when the token was good, else to the address.
 * @returns Undefined where there is no limit, so that nobody waits for nothing. Else rejects with FerryError
 *   RATE_LIMITED, which tells the time after which the budget is whole again.
 */
export type ChargeRate = (request: FastifyRequest, rateClass: RateClassName) => Promise<void> | undefined;

export async function createRateLimits(app: FastifyInstance, limits: EdgeLimits): Promise<ChargeRate> {
  await app.register(rateLimit, { global: false });
  const budgetOf = (max: number) => {
    if (max === 0) return undefined;
    const options = { max, timeWindow: WINDOW_MS, cache: MAX_CALLERS };
    return {
      address: app.createRateLimit(options),
      member: app.createRateLimit({ ...options, keyGenerator: (request) => request.facts.principal?.id ?? "" }),
    };
  };
  const budgets = {
    read: budgetOf(limits.rateRead),
    write: budgetOf(limits.rateWrite),
    login: budgetOf(limits.rateLogin),
  };
  type Budget = NonNullable<ReturnType<typeof budgetOf>>;
  const spend = async (budget: Budget, request: FastifyRequest): Promise<void> => {
    const byMember = request.facts.principal !== undefined;
    const state = await (byMember ? budget.member : budget.address)(request);
    if (state.isAllowed || !state.isExceeded) return;
    const whose = byMember ? "this member" : "this address";
    throw new FerryError("RATE_LIMITED", `too many requests of ${whose}: at most ${state.max} a minute`, {
      retryAfterMs: state.ttl,
    });
  };
  return (request, rateClass) => {
    const budget = budgets[rateClass];
    return budget === undefined ? undefined : spend(budget, request);
  };
}
