import { FerryError } from "@ferry/platform/errors";

/** What was recorded under an idempotency key, now or before. */
export interface Created<Row> {
  row: Row;
  /** It was recorded by an earlier request with the same key. */
  replayed: boolean;
}

/** Whether something recorded came of the same request. @throws FerryError IDEMPOTENCY_KEY_REUSED when not. */
export function replayOf<Row extends { requestHash: Uint8Array }>(
  recorded: Row,
  request: { requestHash: Uint8Array },
): Created<Row> {
  if (Buffer.compare(recorded.requestHash, request.requestHash) !== 0)
    throw new FerryError("IDEMPOTENCY_KEY_REUSED", "the idempotency key was used before, with another request");
  return { row: recorded, replayed: true };
}
