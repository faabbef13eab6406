/**
 * Reads "wait" of the header Prefer (RFC 7240): how many seconds the client would wait for the end of what it asks.
 *
 * @param maxSeconds What the contract allows; more is cut down to it.
 * @returns 0 when nothing, or nothing valid, is asked: a preference that makes no sense is ignored, not refused.
 */
export function waitSecondsOf(prefer: string | undefined, maxSeconds: number): number {
  if (prefer === undefined || maxSeconds <= 0) return 0;
  for (const preference of prefer.split(",")) {
    const [said = ""] = preference.split(";", 1);
    const equals = said.indexOf("=");
    if (equals === -1 || said.slice(0, equals).trim().toLowerCase() !== "wait") continue;
    // The first of several counts, also when it is malformed.
    const seconds = /^(?:[0-9]{1,9}|"[0-9]{1,9}")$/.exec(said.slice(equals + 1).trim())?.[0];
    return seconds === undefined ? 0 : Math.min(Number(seconds.replaceAll('"', "")), maxSeconds);
  }
  return 0;
}
