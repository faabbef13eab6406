import type { PendingCall } from "./bank-call.ts";

export interface CallQueueOptions {
  /** Makes one call and records what became of it. Never rejects. */
  make(call: PendingCall): Promise<void>;
  /** Calls under way at once. */
  concurrency: number;
  /** Calls that may wait for their turn before there is no room for more. */
  maxQueued: number;
}

/** Calls that wait for their turn, and those under way: each once, in the order in which they came. */
export function createCallQueue({ make, concurrency, maxQueued }: CallQueueOptions) {
  const queue: PendingCall[] = [];
  /** The ids of the calls that wait or are under way, by their numbers. */
  const held = new Map<bigint, string>();
  let running = 0;
  let closed = false;
  let room: PromiseWithResolvers<void> | undefined;
  let idle: PromiseWithResolvers<void> | undefined;

  async function run(call: PendingCall): Promise<void> {
    await make(call);
    running--;
    held.delete(call.seq);
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
    add(calls: readonly PendingCall[]): void {
      if (closed) return;
      for (const call of calls) {
        if (held.has(call.seq)) continue;
        held.set(call.seq, call.id);
        queue.push(call);
      }
      next();
    },

    /** How many more calls may come now. */
    free: (): number => Math.max(0, maxQueued - queue.length),

    /** Numbers of the calls that wait or are under way. */
    heldSeqs: (): bigint[] => [...held.keys()],

    /** Whether the call of this id waits or is under way. */
    holds: (id: string): boolean => [...held.values()].includes(id),

    /** Resolves when there is room for more, or the queue is closed. */
    async whenRoom(): Promise<void> {
      if (closed || queue.length < maxQueued) return;
      room ??= Promise.withResolvers<void>();
      await room.promise;
    },

    /** Begins no more calls. @returns those whose turn had not come. */
    close(): PendingCall[] {
      closed = true;
      const left = queue.splice(0);
      for (const { seq } of left) held.delete(seq);
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
