import { setTimeout as pause } from "node:timers/promises";
import type { BooksReport } from "../test/books/check.ts";
import { booksOf } from "../test/support/books.ts";
import type { Platform } from "../test/support/platform.ts";

/** What the books must say beside being right in themselves. */
export interface Expected {
  /** Transfers that clients were told are completed. */
  completed: number;
  /** Requests whose end the client does not know, as after a broken connection: each may be in the books or not. */
  uncertain: number;
}

/** How long the platform gets to come to rest when no client waits any more. */
const REST_MS = 30_000;
const LOOK_AGAIN_MS = 2_000;

/** Compares what clients were told with what the books say: each transfer that was acknowledged exists, and no other. */
export function compareWithClients({ figures }: BooksReport, { completed, uncertain }: Expected): string[] {
  const found = figures.completed ?? 0;
  if (found < completed) return [`clients were told of ${completed} completed transfers, and the books have ${found}`];
  if (found > completed + uncertain)
    return [
      `the books have ${found} completed transfers, and clients know of ${completed} and at most ${uncertain} more`,
    ];
  return [];
}

/** Checks the books of a platform that nobody drives any more, waiting a while for it to come to rest. @returns what does not hold. */
export async function checkBooksOf(platform: Platform, expected: Expected): Promise<string[]> {
  const until = Date.now() + REST_MS;
  for (;;) {
    const report = await booksOf(platform);
    const findings = [...report.findings, ...compareWithClients(report, expected)];
    if (findings.length === 0 || Date.now() > until) return findings;
    await pause(LOOK_AGAIN_MS);
  }
}
