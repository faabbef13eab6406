import type { Failure } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { catalogue, isReason } from "@ferry/platform/errors";
import type { Answer, SagaFailure } from "./definition.ts";

/** A failure as it came over the wire; a code that this version does not know is kept as INTERNAL, with its text. */
export function failureOf(failure: Failure): SagaFailure {
  if (isReason(failure.code)) return { code: failure.code, message: failure.message };
  return { code: "INTERNAL", message: `${failure.code}: ${failure.message}` };
}

const ENDED_BY_OPERATOR: SagaFailure = { code: "ENDED_BY_OPERATOR", message: "an operator ended it" };

/**
 * What the release of a hold means to the settle that it is to rule out. Released: no settle was done, and none
 * will be. HOLD_RELEASED: it was settled before. Anything else tells nothing, and is asked again.
 */
export function releasedForGood(failure: Failure | undefined): Answer<never> {
  if (failure === undefined) return { kind: "refused", failure: ENDED_BY_OPERATOR };
  const known = failureOf(failure);
  return known.code === "HOLD_RELEASED" ? { kind: "done" } : { kind: "unknown", failure: known };
}

/** What a reply with an optional failure means: none is done; a retryable one had no effect and may be asked again; any other is final. */
export function plainAnswer(failure: Failure | undefined): Answer<never> {
  if (failure === undefined) return { kind: "done" };
  const known = failureOf(failure);
  return catalogue.get(known.code)?.retryable
    ? { kind: "unavailable", failure: known }
    : { kind: "refused", failure: known };
}
