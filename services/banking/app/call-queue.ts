import type { BankCall } from "./bank-call.ts";

export interface CallQueueOptions {
  /** Makes one call and records what became of it. Never rejects. */
  make(call: BankCall): Promise<void>;
  /** Calls under way at once. */
  concurrency: number;
  /** Calls that may wait for their turn before there is no room for more. */
  maxQueued: number;
}

/** Calls that wait for their turn, and those under way: each once, in the order in which they came. */
export function createCallQueue({ make, concurrency, maxQueued }: CallQueueOptions) {
  const queue: BankCall[] = [];
  const held = new Set<string>();
  let running = 0;
  let closed = false;
  let room: PromiseWithResolvers<void> | undefined;
  let idle: PromiseWithResolvers<void> | undefined;

  async function run(call: BankCall): Promise<void> {
    await make(call);
    running--;
    held.delete(call.id);
    next();
    if (running === 0) idle?.resolve();
  }

  function next(): void {
    while (running < concurrency) {
      const call = queue.shift();
      if (call === undefined) break;
      running++;
      void run(call);
    }
    if (queue.length >= maxQueued) return;
    room?.resolve();
    room = undefined;
  }

  return {
    /** Sets calls on their way; those that are held already are left out, and all of them after the close. */
    add(calls: readonly BankCall[]): void {
      if (closed) return;
      for (const call of calls) {
        if (held.has(call.id)) continue;
        held.add(call.id);
        queue.push(call);
      }
      next();
    },

    /** How many more calls may come now. */
    free: (): number => Math.max(0, maxQueued - queue.length),

    /** Ids of the calls that wait or are under way. */
    heldIds: (): string[] => [...held],

    /** Resolves when there is room for more, or the queue is closed. */
    async whenRoom(): Promise<void> {
      if (closed || queue.length < maxQueued) return;
      room ??= Promise.withResolvers<void>();
      await room.promise;
    },

    /** Begins no more calls. @returns those whose turn had not come. */
    close(): BankCall[] {
      closed = true;
      const left = queue.splice(0);
      for (const { id } of left) held.delete(id);
      next();
      return left;
    },

    /** Resolves when no call is under way. */
    async whenIdle(): Promise<void> {
      if (running === 0) return;
      idle ??= Promise.withResolvers<void>();
      await idle.promise;
    },
  };
}
