/**
 * Reads "wait" of the header Prefer (RFC 7240): how many seconds the client would wait for the end of what it asks.
 *
 * @param maxSeconds What the contract allows; more is cut down to it.
 * @returns 0 when nothing, or nothing valid, is asked: a preference that makes no sense is ignored, not refused.
 */
export function waitSecondsOf(prefer: string | undefined, maxSeconds: number): number {
  if (prefer === undefined || maxSeconds <= 0) return 0;
  for (const preference of prefer.split(",")) {
    const wait = /^\s*wait\s*=\s*(?:"([^"]*)"|([^\s;"]*))\s*(?:;|$)/i.exec(preference);
    if (wait === null) continue;
    // The first of several counts, also when it is malformed.
    const text = wait[1] ?? wait[2] ?? "";
    return /^[0-9]{1,9}$/.test(text) ? Math.min(Number(text), maxSeconds) : 0;
  }
  return 0;
}
