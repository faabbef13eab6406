import type { Failure } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { catalogue, isReason } from "@ferry/platform/errors";
import type { Answer, SagaFailure } from "./definition.ts";

/** A failure as it came over the wire; a code that this version does not know is kept as INTERNAL, with its text. */
export function failureOf(failure: Failure): SagaFailure {
  if (isReason(failure.code)) return { code: failure.code, message: failure.message };
  return { code: "INTERNAL", message: `${failure.code}: ${failure.message}` };
}

/** What a reply with an optional failure means: none is done; a retryable one had no effect and may be asked again; any other is final. */
export function plainAnswer(failure: Failure | undefined): Answer<never> {
  if (failure === undefined) return { kind: "done" };
  const known = failureOf(failure);
  return catalogue.get(known.code)?.retryable
    ? { kind: "unavailable", failure: known }
    : { kind: "refused", failure: known };
}
