import type { Queryable } from "@ferry/platform/db";
import { findStuckSagas, type StuckSaga } from "./store.ts";
import type { AuditCheck } from "./types.ts";

const SENTENCES: Record<StuckSaga["what"], string> = {
  "not-looked-at": "a saga is due and nobody looks at it",
  "without-reason": "a saga is parked without a reason",
  "too-long": "a saga is under way for longer than its steps may take",
};

/** A due saga is looked at within seconds; a minute without is no chance. */
const UNSEEN_MS = 60_000;
const FOUND_AT_ONCE = 100;

/**
 * I4: every saga ends, or is parked with a reason. @param longestMs How long one may be under way.
 */
export function sagaCheck(db: Queryable, longestMs: number): AuditCheck {
  return {
    name: "sagas",
    invariant: "I4",
    description: "Every saga that is due is looked at, ends in time, or is parked with a reason.",
    everyMs: 15_000,
    standing: true,
    async run() {
      const stuck = await findStuckSagas(db, { unseenMs: UNSEEN_MS, longestMs, limit: FOUND_AT_ONCE });
      const breaches = stuck.map(({ id, what, saga }) => ({
        ...{ subject: `${what}:${id}`, message: SENTENCES[what], detail: { saga } },
        accounts: [],
      }));
      return { cursor: undefined, rows: stuck.length, breaches, lagMs: 0 };
    },
  };
}
