import type { Database } from "@ferry/platform/db";
import type { Logger } from "@ferry/platform/telemetry";
import { findUnfrozen, saveFrozen } from "./store.ts";
import type { FreezeAccounts } from "./types.ts";

const FROZEN_AT_ONCE = 20;
const LONGEST_REASON = 500;

export interface FreezerOptions {
  database: Database;
  logger: Logger;
  /** Absent: nothing is ever frozen. */
  freeze?: FreezeAccounts;
}

/** Freezes the accounts of breaches, a few at a time, each in its turn. */
export function createFreezer({ database, freeze, logger }: FreezerOptions) {
  let mayFreeze = true;
  /** The breach up to which all have had their turn; absent at the beginning of a turn. */
  let upTo: string | undefined;
  let someFailed = false;

  return {
    /** There is, or may be, something to freeze. */
    expect(): void {
      mayFreeze = true;
    },

    /**
     * Freezes what is to be frozen. What could not be does not hold up what is behind it, and comes again when all
     * have had their turn.
     *
     * @throws what the first that failed threw, when all of this time were tried.
     */
    async freeze(): Promise<void> {
      if (!mayFreeze || freeze === undefined) return;
      const unfrozen = await findUnfrozen(database, FROZEN_AT_ONCE, upTo);
      const failures: unknown[] = [];
      for (const { id, invariant, message, accounts } of unfrozen) {
        try {
          const frozen = await freeze(accounts, `${invariant}: ${message} (breach ${id})`.slice(0, LONGEST_REASON));
          await saveFrozen(database, id, frozen);
          logger.error({ breachId: id, frozen }, "accounts are frozen because of a breach");
        } catch (error) {
          failures.push(error);
          logger.error({ breachId: id, error: String(error) }, "accounts could not be frozen because of a breach");
        }
      }
      someFailed ||= failures.length > 0;
      const more = unfrozen.length === FROZEN_AT_ONCE;
      upTo = more ? unfrozen.at(-1)?.id : undefined;
      mayFreeze = more || someFailed;
      if (!more) someFailed = false;
      if (failures.length > 0) throw failures[0];
    },
  };
}
