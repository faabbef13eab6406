import { setTimeout as delay } from "node:timers/promises";
import { fromUnknown } from "@ferry/platform/errors";
import type { Bus } from "@ferry/platform/events";
import type { Logger } from "@ferry/platform/telemetry";
import { messagesIn } from "./memory.ts";
import { type Batch, toRecords } from "./message.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export interface PublisherOptions {
  bus: Pick<Bus, "publish">;
  logger: Logger;
  /** Aborted when nothing more is to be published. */
  ending: AbortSignal;
}

/** Publishes batches until the broker has them, however long it is away. Gives false when the end came before. */
export function createPublisher({ bus, logger, ending }: PublisherOptions) {
  return async (batches: readonly Batch[]): Promise<boolean> => {
    for (let attempt = 0; batches.length > 0; attempt++) {
      try {
        const nowMs = Date.now();
        const published = bus.publish(batches.flatMap((batch) => toRecords(batch, nowMs)));
        // Who has to end does not wait for the broker: what it may still take comes again after the hand-over.
        await orAborted(published, ending);
        break;
      } catch (error) {
        const { cause, message } = fromUnknown(error);
        const fields = { attempt, messages: messagesIn(batches), error: message, cause: String(cause ?? "") };
        logger.warn(fields, "outbox waits for the broker");
        const pauseMs =
          Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);
        await delay(pauseMs, undefined, { signal: ending }).catch(() => {});
      }
      if (ending.aborted) return false;
    }
    return !ending.aborted;
  };
}

/** Settles as the work does, or resolves when the signal comes first. Leaves nothing behind on the signal. */
async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const resolve = () => aborted.resolve();
  signal.addEventListener("abort", resolve, { once: true });
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", resolve);
  }
}
