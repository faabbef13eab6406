import type { Idle, Lease, Leases } from "./leases.ts";

/** The window of every budget. */
export const WINDOW_MS = 60_000;
/** Callers that are counted at once in each budget; the one whose window began first is forgotten first. */
export const MAX_CALLERS = 20_000;
/** A lease is this part of a budget: what an edge holds and does not use, the others lack until it is given back. */
const LEASES_IN_BUDGET = 20;
/** How long a caller who has spent all is refused without asking the store anew: another edge may have given back. */
const ASK_AGAIN_MS = 1_000;

/** What became of one request. */
export interface Spent {
  allowed: boolean;
  /** Requests that are left to the caller in this window. */
  remaining: number;
  /** Time until the budget is whole again, in milliseconds. */
  resetMs: number;
}

export interface Budget {
  readonly name: string;
  /** Requests in a window. */
  readonly limit: number;
  /** Charges a caller with a request. A promise only when a lease must be waited for. */
  spend(caller: string, nowMs: number): Spent | Promise<Spent>;
  /**
   * Takes out what was leased and not used since the last call of this, to be given back.
   * @param all What was used meanwhile too.
   */
  takeIdle(all: boolean): Idle;
}

interface Caller {
  windowEndsMs: number;
  spent: number;
  /** How many may be spent here: the whole limit, or what was leased. */
  granted: number;
  /** What the store had left after the last lease. */
  left: number;
  /** The store's window that the lease is of. */
  windowId?: number;
  /** The lease that is under way: whether the store granted or refused it, or did not answer. */
  lease?: Promise<boolean>;
  askAgainMs: number;
  spentAtSweep: number;
}

/**
 * Counts requests in fixed windows of a minute that begin with a caller's first one.
 *
 * @param leases Where the budget is shared with other edges: they then allow what the limit says together. While the
 *   store is away, each allows as much by itself.
 */
export function createBudget(name: string, limit: number, leases?: Leases): Budget {
  const callers = new Map<string, Caller>();
  const step = Math.ceil(limit / LEASES_IN_BUDGET);
  /** With less than this left of a lease the next one is asked for, so that nobody waits but the first; never of small ones. */
  const early = Math.floor(step / 4);

  function begin(key: string, nowMs: number): Caller {
    callers.delete(key); // Set anew, so that the map is in the order of windows.
    if (callers.size >= MAX_CALLERS) callers.delete(callers.keys().next().value!);
    const granted = leases === undefined ? limit : 0;
    const caller = { windowEndsMs: nowMs + WINDOW_MS, spent: 0, granted, left: 0, askAgainMs: 0, spentAtSweep: 0 };
    callers.set(key, caller);
    return caller;
  }

  const told = (caller: Caller, allowed: boolean, nowMs: number): Spent => {
    const remaining = allowed ? Math.max(0, caller.granted - caller.spent + caller.left) : 0;
    return { allowed, remaining, resetMs: Math.max(1, caller.windowEndsMs - nowMs) };
  };

  /** Asks for a lease that pays what was spent without one, too. Never rejects: the store may be away. */
  function ask(key: string, caller: Caller, { take }: Leases): Promise<boolean> {
    const lacking = Math.max(0, caller.spent - caller.granted);
    const asked = take({ key: `${name} ${key}`, want: lacking + step, limit }).then((lease) => {
      caller.lease = undefined;
      if (lease === undefined) return false;
      const nowMs = Date.now();
      if (caller.windowId !== undefined && caller.windowId !== lease.windowId) {
        caller.spent = 0;
        caller.granted = 0;
      }
      caller.windowId = lease.windowId;
      caller.windowEndsMs = nowMs + lease.endsInMs;
      caller.granted += lease.granted;
      caller.left = lease.left;
      if (lease.granted === 0) caller.askAgainMs = nowMs + ASK_AGAIN_MS;
      return true;
    });
    caller.lease = asked;
    return asked;
  }

  async function spendShared(key: string, caller: Caller, shared: Leases): Promise<Spent> {
    // Each round brings a lease, so many at once need several; there are no more than leases in two windows.
    for (let round = 0; round < 2 * LEASES_IN_BUDGET; round++) {
      if (!(await (caller.lease ?? ask(key, caller, shared)))) break;
      const nowMs = Date.now();
      if (caller.spent < caller.granted) {
        caller.spent++;
        return told(caller, true, nowMs);
      }
      if (caller.askAgainMs > nowMs) return told(caller, false, nowMs);
    }
    return spendHere(caller, Date.now());
  }

  /** While the store is away, or too slow: the limit holds, for this edge alone. */
  function spendHere(caller: Caller, nowMs: number): Spent {
    if (caller.spent >= limit) return told(caller, false, nowMs);
    caller.spent++;
    return { allowed: true, remaining: limit - caller.spent, resetMs: Math.max(1, caller.windowEndsMs - nowMs) };
  }

  return {
    name,
    limit,
    spend(key, nowMs) {
      let caller = callers.get(key);
      if (caller === undefined || caller.windowEndsMs <= nowMs) caller = begin(key, nowMs);
      if (caller.spent < caller.granted) {
        caller.spent++;
        if (leases !== undefined && caller.granted - caller.spent < early && wants(caller, nowMs))
          void ask(key, caller, leases);
        return told(caller, true, nowMs);
      }
      if (leases === undefined || caller.askAgainMs > nowMs) return told(caller, false, nowMs);
      return leases.away() ? spendHere(caller, nowMs) : spendShared(key, caller, leases);
    },
    takeIdle(all) {
      const idle: Lease[] = [];
      const nowMs = Date.now();
      let held = 0;
      for (const [key, caller] of callers) {
        const used = caller.spent !== caller.spentAtSweep;
        caller.spentAtSweep = caller.spent;
        const unspent = caller.granted - caller.spent;
        if (unspent <= 0 || caller.windowId === undefined || caller.windowEndsMs <= nowMs) continue;
        if (!all && (used || caller.lease !== undefined)) {
          held++;
          continue;
        }
        caller.granted = caller.spent;
        caller.left += unspent;
        idle.push({ key: `${name} ${key}`, windowId: caller.windowId, unspent });
      }
      return { idle, held };
    },
  };

  function wants(caller: Caller, nowMs: number): boolean {
    return caller.lease === undefined && caller.left > 0 && caller.askAgainMs <= nowMs && leases?.away() === false;
  }
}
