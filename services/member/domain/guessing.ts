const MINUTE_MS = 60_000;

/**
 * How many wrong passwords are taken in a window, by what is counted. Who guesses from one address meets the first;
 * from many addresses at one email, the second, which is high enough that the owner is not easily locked out by it;
 * from one address at many emails, the third, which leaves a whole office behind one address its forgotten passwords.
 */
export const GUESS_LIMITS = {
  windowMs: 15 * MINUTE_MS,
  perSubjectAndAddress: 10,
  perSubject: 50,
  perAddress: 100,
} as const;

/** A window in which guesses are counted. */
export interface GuessWindow {
  count: number;
  endsAt: Date;
}

/**
 * What stands for an address when guesses are counted: an IPv6 address's network of 64 bits, since whoever has one
 * address of it has all of them. What is no address is taken as it is.
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.toLowerCase().split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - after.length);
  const all = [...groups, ...Array.from({ length: zeros }, () => "0"), ...after];
  const first = all.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${first.join(":")}::/64`;
}

/**
 * Decides whether one more guess is taken.
 *
 * @param windows As they are with this guess counted; undefined where nothing was counted yet.
 * @returns Milliseconds after which to come back; undefined when it is taken.
 */
export function refuseGuess(
  windows: { pair: GuessWindow | undefined; subject: GuessWindow | undefined; address: GuessWindow | undefined },
  now: Date,
): number | undefined {
  const { pair, subject, address } = windows;
  const limits: [GuessWindow | undefined, number][] = [
    [pair, GUESS_LIMITS.perSubjectAndAddress],
    [subject, GUESS_LIMITS.perSubject],
    // Counted only when they were wrong: an office may log in all at once.
    [address, GUESS_LIMITS.perAddress - 1],
  ];
  const waits = limits
    .filter(([window, limit]) => window !== undefined && window.endsAt > now && window.count > limit)
    .map(([window]) => window!.endsAt.getTime() - now.getTime());
  return waits.length === 0 ? undefined : Math.max(...waits);
}
