import type { Queryable } from "@ferry/platform/db";
import { findOldestUnpublished } from "./store.ts";
import type { AuditCheck } from "./types.ts";

const LONGEST_MS = 300_000;

/**
 * I5: the outbox goes to zero. A broker that is away is no breach yet; what waits for five minutes is.
 *
 * @param longestMs How long a message may wait, in milliseconds. Default 5 minutes.
 */
export function outboxCheck(db: Queryable, longestMs = LONGEST_MS): AuditCheck {
  return {
    name: "outbox",
    invariant: "I5",
    description: "No message waits in the outbox for longer than five minutes.",
    everyMs: 15_000,
    standing: true,
    async run() {
      const oldest = await findOldestUnpublished(db);
      if (oldest === undefined) return { cursor: undefined, rows: 0, breaches: [], lagMs: 0 };
      const { ageMs, ...place } = oldest;
      const breaches =
        ageMs > longestMs
          ? [
              {
                subject: "outbox",
                message: "messages of the outbox are not published",
                detail: { ...place, ageMs },
                accounts: [],
              },
            ]
          : [];
      return { cursor: undefined, rows: 1, breaches, lagMs: ageMs };
    },
  };
}
