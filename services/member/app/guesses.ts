import type { Queryable } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { GUESS_LIMITS, type GuessWindow, networkOf, refuseGuess } from "../domain/guessing.ts";

interface GuessStore {
  find(db: Queryable, names: readonly string[], now: Date): Promise<(GuessWindow | undefined)[]>;
  add(db: Queryable, names: readonly string[], now: Date, endsAt: Date): Promise<(GuessWindow | undefined)[]>;
  takeBack(db: Queryable, names: readonly string[]): Promise<void>;
  forget(db: Queryable, name: string): Promise<void>;
}

/** One guess that was taken; exactly one of the three is called. */
export interface Guess {
  right(): Promise<void>;
  wrong(): Promise<void>;
  /** Nobody looked whether it was right. */
  dropped(): Promise<void>;
}

export interface Guesses {
  /**
   * Counts a guess before anybody looks whether it is right, so that many at once are no way around the limit.
   *
   * @param subject What is guessed at, whether it exists or not: an email in its normal form.
   * @param address Where the guess comes from; empty when it is not known.
   * @throws FerryError RATE_LIMITED.
   */
  begin(subject: string, address: string): Promise<Guess>;
  /** Counts a wrong answer that no limit stands before. @returns Whether it is one of the first in its window. */
  countWrong(subject: string, address: string): Promise<boolean>;
}

/** Counts wrong answers for all replicas together. A right one makes up for those before it from the same address. */
export function createGuesses({ database, store }: { database: Queryable; store: GuessStore }): Guesses {
  // Each part in quotes: whoever guesses chooses the subject, and "a at 192.0.2.1" must not be counted as a's there.
  const nameOf = (...parts: readonly string[]) => JSON.stringify(parts);
  const namesOf = (subject: string, address: string) => {
    const network = networkOf(address);
    const [pair, all] = [nameOf("subject", subject, network), nameOf("subject", subject)];
    return { pair, all, address: address === "" ? [] : [nameOf("address", network)] };
  };
  const endOf = (now: Date) => new Date(now.getTime() + GUESS_LIMITS.windowMs);

  return {
    async begin(subject, from) {
      const names = namesOf(subject, from);
      const counted = [names.pair, names.all];
      const now = new Date();
      const [[pair, all], [address]] = await Promise.all([
        store.add(database, counted, now, endOf(now)),
        store.find(database, names.address, now),
      ]);
      const retryAfterMs = refuseGuess({ pair, subject: all, address }, now);
      if (retryAfterMs !== undefined) {
        await store.takeBack(database, counted);
        throw new FerryError("RATE_LIMITED", "too many wrong passwords: try again later", { retryAfterMs });
      }
      return {
        async right() {
          await store.takeBack(database, counted);
          if ((pair?.count ?? 0) > 1) await store.forget(database, names.pair);
        },
        async wrong() {
          if (names.address.length === 0) return;
          const time = new Date();
          await store.add(database, names.address, time, endOf(time));
        },
        dropped: () => store.takeBack(database, counted),
      };
    },
    async countWrong(subject, from) {
      const now = new Date();
      const [window] = await store.add(database, [namesOf(subject, from).pair], now, endOf(now));
      return (window?.count ?? 0) <= GUESS_LIMITS.perSubjectAndAddress;
    },
  };
}
