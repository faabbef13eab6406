import { getOption, hasOption } from "@bufbuild/protobuf";
import { type Reason as ReasonNumber, ReasonSchema } from "@ferry/gen/ferry/errors/v1/errors_pb.ts";
import { reason as reasonOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";

/** A reason of the closed catalogue in proto/ferry/errors, without its prefix, as "INSUFFICIENT_BALANCE". */
export type Reason = Exclude<keyof typeof ReasonNumber, "UNSPECIFIED">;

export interface CatalogueEntry {
  reason: Reason;
  /** The gRPC status code, by number. */
  grpcCode: number;
  httpStatus: number;
  /** Whether the same request can succeed later, unchanged. */
  retryable: boolean;
  /** What the reason means: the contract's comment is the documentation, this is its number. */
  number: number;
}

const PREFIX = "REASON_";

/** Every reason with what it maps to, read from the contract's options, so that code cannot differ from it. */
export const catalogue: ReadonlyMap<Reason, CatalogueEntry> = new Map(
  ReasonSchema.values
    .filter((value) => hasOption(value, reasonOption))
    .map((value) => {
      const policy = getOption(value, reasonOption);
      const reason = value.name.slice(PREFIX.length) as Reason;
      const { grpcCode, httpStatus, retryable } = policy;
      return [reason, { reason, grpcCode, httpStatus, retryable, number: value.number }];
    }),
);

/** Whether a text names a reason of the catalogue. */
export function isReason(text: string): text is Reason {
  return catalogue.has(text as Reason);
}
