import { FerryError } from "@ferry/platform/errors";

const KEY = /^[\x20-\x7e]{1,255}$/;

/**
 * The key of a request whose contract requires one.
 *
 * @param values The header's values, each as it came.
 * @throws FerryError IDEMPOTENCY_KEY_INVALID when it is missing, given twice, empty, longer than 255 characters or not
 *   printable ASCII.
 */
export function idempotencyKey(values: readonly string[] | undefined): string {
  const invalid = (problem: string) =>
    new FerryError("IDEMPOTENCY_KEY_INVALID", `the header Idempotency-Key ${problem}`);
  if (values === undefined || values.length === 0) throw invalid("is missing: this request needs one");
  if (values.length > 1) throw invalid("is given twice");
  const key = values[0]!.trim();
  if (key === "") throw invalid("is empty");
  if (key.length > 255) throw invalid("is longer than 255 characters");
  if (!KEY.test(key)) throw invalid("must be printable ASCII");
  return key;
}
