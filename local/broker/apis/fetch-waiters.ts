import type { PartitionLog } from "../log/partition-log.ts";

/**
 * Fetches that wait for records.
 *
 * All that become ready in one turn of the event loop are answered together at its end, so that one answer carries
 * what several producers have sent. There is at most one waiter for each connection, and none costs anything while
 * nothing is appended.
 */
export class FetchWaiters {
  #ready: (() => void)[] = [];

  /**
   * Calls `done` once: when `missingBytes` more have been appended to the logs, or after `maxWaitMs`.
   *
   * @returns a function that ends the wait without calling `done`.
   */
  wait(logs: readonly PartitionLog[], missingBytes: number, maxWaitMs: number, done: () => void): () => void {
    let missing = missingBytes;
    const onAppend = (bytes: number) => {
      missing -= bytes;
      if (missing > 0) return;
      cancel();
      this.#answerSoon(done);
    };
    const timer = setTimeout(() => {
      cancel();
      done();
    }, maxWaitMs);
    const cancel = () => {
      clearTimeout(timer);
      for (const log of logs) log.listeners.delete(onAppend);
    };
    for (const log of logs) log.listeners.add(onAppend);
    return cancel;
  }

  #answerSoon(done: () => void): void {
    if (this.#ready.length === 0) setImmediate(() => this.#answerAll());
    this.#ready.push(done);
  }

  #answerAll(): void {
    const ready = this.#ready;
    this.#ready = [];
    for (const done of ready) done();
  }
}
