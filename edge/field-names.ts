import type { DescMessage } from "@bufbuild/protobuf";
import { FerryError } from "@ferry/platform/errors";
import { findFieldPath } from "./transcoding/index.ts";

/**
 * A service names fields as its contract does ("transfer_id"), a REST client as its JSON does ("transferId").
 * @returns The error with its fields, and its message where it begins with one, in the client's words.
 */
export function withJsonNames(thrown: unknown, input: DescMessage): unknown {
  if (!(thrown instanceof FerryError) || thrown.fields.length === 0) return thrown;
  const { reason, message, fields, retryAfterMs, cause } = thrown;
  const named = fields.map(({ field, description }) => ({
    field: findFieldPath(input, field)?.jsonPath ?? field,
    description,
  }));
  const first = fields[0]!.field;
  const told = message.startsWith(`${first}: `) ? named[0]!.field + message.slice(first.length) : message;
  return new FerryError(reason, told, { fields: named, retryAfterMs, cause });
}
