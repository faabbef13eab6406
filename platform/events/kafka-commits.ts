import type { Logger } from "@ferry/platform/telemetry";
import type * as KafkaJs from "kafkajs";
import { isMembershipError } from "./kafka-client.ts";

/**
 * Between two commits lies so much time; what comes after a pause is committed at once, and all at a stop
 * and before a rebalance.
 *
 * A commit for each set was a third of all requests to the broker, and the next set waited for it.
 * What a killed process handled in this time comes again to whoever takes over, as it may anyway.
 */
const COMMIT_EVERY_MS = 500;

export interface CommitOptions {
  group: string;
  logger: Logger;
  /** Aborted when the subscription stops: from then on each set is committed before it is let go. */
  stopping: AbortSignal;
}

/** Commits what was resolved, beside the handling of sets. One commit is under way at a time. */
export class Commits {
  readonly #options: CommitOptions;
  #payload: KafkaJs.EachBatchPayload | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: CommitOptions) {
    this.#options = options;
  }

  /** Takes note that offsets were resolved. Resolves at once, or when they are committed while the subscription stops. */
  async resolved(payload: KafkaJs.EachBatchPayload): Promise<void> {
    this.#payload = payload;
    if (this.#options.stopping.aborted) await this.flush();
    else if (this.#timer === undefined) this.#next();
  }

  /** Commits what is resolved and not yet committed. Never rejects: what could not be committed is tried again. */
  async flush(): Promise<void> {
    await this.#running;
    const payload = this.#payload;
    if (payload === undefined) return this.#running;
    this.#payload = undefined;
    this.#running = this.#commit(payload);
    await this.#running;
  }

  #next(): void {
    this.#timer = undefined;
    if (this.#payload === undefined || this.#options.stopping.aborted) return;
    this.#timer = setTimeout(() => this.#next(), COMMIT_EVERY_MS);
    void this.flush();
  }

  async #commit(payload: KafkaJs.EachBatchPayload): Promise<void> {
    const { group, logger } = this.#options;
    try {
      // With an empty object kafkajs commits all that was resolved and not yet committed.
      await payload.commitOffsetsIfNecessary({} as KafkaJs.Offsets);
    } catch (error) {
      if (isMembershipError(error)) return; // The next heartbeat finds it out too, and makes kafkajs join again.
      logger.warn({ group, error: String(error) }, "offsets could not be committed yet");
      this.#payload ??= payload;
    }
  }
}
