/** The longest that a timer of Node can be set to: beyond it, it would go off at once. */
export const LONGEST_MS = 2_147_483_647;

const MILLISECONDS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/**
 * Cuts down the time that a caller gives (Connect-Timeout-Ms, Grpc-Timeout) to what the contract allows. Longer is
 * no error: the caller merely gets its answer sooner. What is malformed is left for the protocol to refuse.
 *
 * @param headers Changed in place.
 */
export function capTimeout(headers: Headers, capMs: number): void {
  const connect = headers.get("connect-timeout-ms");
  if (connect !== null && /^\d{1,10}$/.test(connect) && Number(connect) > capMs)
    headers.set("connect-timeout-ms", String(capMs));
  const grpc = /^(\d{1,8})([HMSmun])$/.exec(headers.get("grpc-timeout") ?? "");
  if (grpc !== null && Number(grpc[1]) * MILLISECONDS[grpc[2]!]! > capMs)
    headers.set("grpc-timeout", `${grpcMs(capMs)}`);
}

/** At most eight digits go into the header; what has more is told in seconds. */
function grpcMs(milliseconds: number): string {
  return milliseconds < 100_000_000 ? `${Math.floor(milliseconds)}m` : `${Math.floor(milliseconds / 1_000)}S`;
}
