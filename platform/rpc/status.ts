import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Any, anyIs, anyPack, anyUnpack, DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@ferry/gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "@ferry/gen/google/rpc/status_pb.ts";
import {
  type ErrorDetails,
  FerryError,
  type FieldViolation,
  fromUnknown,
  isReason,
  type Reason,
} from "@ferry/platform/errors";

/** Name of the trailer with google.rpc.Status. */
export const DETAILS = "grpc-status-details-bin";
const DOMAIN = "ferry";
/** Trailers must stay small: many clients take 8 KB of headers in all. */
const MAX_FIELDS = 32;
const MAX_MESSAGE_LENGTH = 1_024;
const MAX_DESCRIPTION_LENGTH = 200;

type OutgoingDetail = NonNullable<ConstructorParameters<typeof ConnectError>[3]>[number];

export interface WireStatus {
  code: number;
  details: string;
  /** google.rpc.Status, as bytes. */
  packed?: Uint8Array;
}

/** What a status without our ErrorInfo means to us, by its code: from the engine itself, or from a server in another language. */
const FOREIGN: Readonly<Record<number, Reason>> = {
  [Code.Canceled]: "CANCELED",
  [Code.Unknown]: "INTERNAL",
  [Code.InvalidArgument]: "INVALID_REQUEST",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.NotFound]: "NOT_FOUND",
  [Code.AlreadyExists]: "CONFLICT",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.ResourceExhausted]: "RESOURCE_EXHAUSTED",
  [Code.FailedPrecondition]: "CONFLICT",
  [Code.Aborted]: "CONFLICT",
  [Code.OutOfRange]: "INVALID_REQUEST",
  [Code.Unimplemented]: "UNIMPLEMENTED",
  [Code.Internal]: "INTERNAL",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.DataLoss]: "INTERNAL",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
};

/**
 * The peer itself has failed: no connection, one that was lost, or no answer in time. An error that a peer
 * answers with is none of these, whatever its reason: who answers is there.
 */
export class PeerFailed extends FerryError {}

/** What takes the place of texts that may tell addresses or internals. The text itself becomes the cause. */
const PLAIN: Partial<Record<Reason, string>> = {
  INTERNAL: "internal error",
  UNAVAILABLE: "a service that is needed cannot be reached",
  DEADLINE_EXCEEDED: "the time for the call is over",
};

/** A longer wait says no more than this one, and what no Duration can hold would fail whoever passes it on. */
const LONGEST_RETRY_AFTER_MS = 86_400_000;

/** A wait that a peer asks for, as one that can be passed on: whole milliseconds from 0 to a day. */
function soundWaitMs(waitMs: number): number {
  return waitMs > 0 ? Math.min(Math.round(waitMs), LONGEST_RETRY_AFTER_MS) : 0;
}

/** What a FerryError tells beside code and message: ErrorInfo, BadRequest and RetryInfo of google.rpc. */
function detailsOf(error: FerryError): OutgoingDetail[] {
  const details: OutgoingDetail[] = [{ desc: ErrorInfoSchema, value: { reason: error.reason, domain: DOMAIN } }];
  if (error.fields.length > 0) {
    const fieldViolations = error.fields.slice(0, MAX_FIELDS).map(({ field, description }) => ({
      field: plainText(field, MAX_DESCRIPTION_LENGTH),
      description: plainText(description, MAX_DESCRIPTION_LENGTH),
    }));
    details.push({ desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations }) });
  }
  if (error.retryAfterMs !== undefined) {
    const waitMs = soundWaitMs(error.retryAfterMs);
    const retryDelay = create(DurationSchema, {
      seconds: BigInt(Math.floor(waitMs / 1_000)),
      nanos: (waitMs % 1_000) * 1_000_000,
    });
    details.push({ desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay }) });
  }
  return details;
}

/** A FerryError as google.rpc.Status. */
function statusOf(error: FerryError, message: string): Status {
  const details = detailsOf(error).map(({ desc, value }) => anyPack(desc, create(desc, value)));
  return create(StatusSchema, { code: error.entry.grpcCode, message, details });
}

/** Text that survives the wire: half of a surrogate pair would make the engine throw while it answers. */
function plainText(text: string, maxLength: number): string {
  return text.slice(0, maxLength).toWellFormed();
}

/** What the engine sends for an error. */
export function toWireStatus(error: FerryError): Required<WireStatus> {
  const details = plainText(error.message, MAX_MESSAGE_LENGTH);
  return { code: error.entry.grpcCode, details, packed: toBinary(StatusSchema, statusOf(error, details)) };
}

/**
 * A FerryError for who speaks Connect's protocols: the same code, message and details as on the wire of gRPC.
 * @param metadata Headers that go with it. Default none.
 */
export function toConnectError(error: FerryError, metadata?: Record<string, string>): ConnectError {
  const message = plainText(error.message, MAX_MESSAGE_LENGTH);
  return new ConnectError(message, error.entry.grpcCode, metadata, detailsOf(error), error);
}

/** The error that a status other than OK tells. */
export function fromWireStatus(status: WireStatus): FerryError {
  const bytes = status.packed;
  if (bytes !== undefined) {
    try {
      const { details, message } = fromBinary(StatusSchema, bytes);
      return fromDetails(status.code, message || status.details, details);
    } catch {
      // Details that cannot be read leave code and message, which are enough.
    }
  }
  return foreign(status.code, status.details);
}

function fromDetails(code: number, message: string, packed: readonly Any[]): FerryError {
  let reason: Reason | undefined;
  let fields: readonly FieldViolation[] = [];
  let retryAfterMs: number | undefined;
  for (const any of packed) {
    if (anyIs(any, ErrorInfoSchema)) {
      const info = anyUnpack(any, ErrorInfoSchema);
      if (info?.domain === DOMAIN && isReason(info.reason)) reason = info.reason;
    } else if (anyIs(any, BadRequestSchema)) {
      const violations = anyUnpack(any, BadRequestSchema)?.fieldViolations ?? [];
      fields = violations.map(({ field, description }) => ({ field, description }));
    } else if (anyIs(any, RetryInfoSchema)) {
      const delay = anyUnpack(any, RetryInfoSchema)?.retryDelay;
      if (delay !== undefined) retryAfterMs = soundWaitMs(Number(delay.seconds) * 1_000 + delay.nanos / 1e6);
    }
  }
  const details = { fields, retryAfterMs };
  return reason === undefined ? foreign(code, message, details) : new FerryError(reason, message, details);
}

function foreign(code: number, message: string, details: ErrorDetails = {}): FerryError {
  const tooLarge = code === Code.ResourceExhausted && /larger than/.test(message);
  const reason = tooLarge ? "BODY_TOO_LARGE" : (FOREIGN[code] ?? "INTERNAL");
  const cause = new Error(`gRPC status ${Code[code] ?? code}: ${message}`);
  return new FerryError(reason, PLAIN[reason] ?? (message || "the call was refused"), { cause, ...details });
}

/** Makes any thrown value a FerryError; ConnectErrors keep their meaning and their details. */
export function toFerryError(thrown: unknown): FerryError {
  if (thrown instanceof FerryError) return thrown;
  if (thrown instanceof ConnectError) {
    const packed = thrown.details.flatMap((detail) => {
      if ("desc" in detail) return [anyPack(detail.desc, create(detail.desc, detail.value))];
      return [{ $typeName: "google.protobuf.Any" as const, typeUrl: `/${detail.type}`, value: detail.value }];
    });
    return fromDetails(thrown.code, thrown.rawMessage, packed);
  }
  if (thrown instanceof Error && thrown.name === "TimeoutError")
    return new FerryError("DEADLINE_EXCEEDED", "the time for the call is over", { cause: thrown });
  return fromUnknown(thrown);
}
