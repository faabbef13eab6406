import { currentContext, type WorkContext } from "@ferry/platform/telemetry";

/** The work context of a handler: beside request id and trace, when the call that it answers must be over. */
export interface CallWork extends WorkContext {
  /** Unix time in milliseconds; absent when the call has no deadline. */
  deadlineAtMs?: number;
}

/** When the work at hand must be over, Unix time in milliseconds; undefined outside of calls. */
export function currentDeadlineAtMs(): number | undefined {
  const context: CallWork = currentContext();
  return context.deadlineAtMs;
}
