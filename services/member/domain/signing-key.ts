/** When a signing key was made, signs, and is taken back. The key itself is not needed to decide. */
export interface KeyTimes {
  kid: string;
  createdAt: Date;
  /** From then on it signs. Earlier it is only published, so that every verifier knows it first. */
  signsFrom: Date;
  /** From then on nothing signed by it is good; undefined while it has no successor. */
  retireAt: Date | undefined;
}

/** The key that signs now: the newest that already may. Undefined when there is none. */
export function chooseSigningKey<Key extends KeyTimes>(keys: readonly Key[], now: Date): Key | undefined {
  return keys
    .filter((key) => key.signsFrom <= now && (key.retireAt === undefined || key.retireAt > now))
    .reduce<Key | undefined>(
      (best, key) => (best === undefined || key.signsFrom > best.signsFrom ? key : best),
      undefined,
    );
}

/** Whether it is time for a new key: there is none, or the newest has reached its age. */
export function isRotationDue(keys: readonly KeyTimes[], now: Date, rotateAfterMs: number): boolean {
  return keys.every((key) => key.retireAt !== undefined || now.getTime() - key.createdAt.getTime() >= rotateAfterMs);
}

/**
 * The times of a new key and of the ones before it.
 *
 * @param overlapMs How long the new key is published before it signs; nothing for the first key.
 * @param tokenLifeMs How long what a key signed stays good, skew of clocks included.
 */
export function planRotation(
  keys: readonly KeyTimes[],
  now: Date,
  { overlapMs, tokenLifeMs }: { overlapMs: number; tokenLifeMs: number },
): { signsFrom: Date; retireOthersAt: Date } {
  const signsAtMs = now.getTime() + (keys.length === 0 ? 0 : overlapMs);
  return { signsFrom: new Date(signsAtMs), retireOthersAt: new Date(signsAtMs + tokenLifeMs) };
}
