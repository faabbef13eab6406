import type net from "node:net";
import pg from "pg";
import type { Clockwork } from "./clockwork.ts";
import type { Faults } from "./faults.ts";
import { GatedSocket } from "./gated-socket.ts";

const [realSetTimeout, realClearTimeout] = [setTimeout, clearTimeout];
/** An answer that takes longer, in real time, may wait for a lock; PostgreSQL is asked. */
const FIRST_LOOK_MS = 20;
const NEXT_LOOK_MS = 2;
const QUICK_MS: readonly [number, number] = [0.1, 1.5];
const SLOW_MS: readonly [number, number] = [20, 400];
const SLOW_SHARE = 0.02;

/** A connection without the clockwork, to the same server: it looks at locks, and ends what must end. */
export interface Overseer {
  waitsForLock(pid: number): Promise<boolean>;
  terminate(pid: number): Promise<void>;
}

export interface GateOptions {
  clockwork: Clockwork;
  overseer: Overseer;
  faults: Faults;
}

/** Resolves with true when the work is done, with false when the time is over before. Real time. */
async function doneWithin(work: Promise<void>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => {
    timer = realSetTimeout(() => resolve(false), limitMs);
  });
  const done = await Promise.race([work.then(() => true), limit]);
  realClearTimeout(timer);
  return done;
}

/**
 * The wire between the services and PostgreSQL. What a client asks for leaves at a time that the seed
 * decides, and the world stands still until PostgreSQL has answered it, or waits for a lock that somebody
 * else has to let go of.
 */
export class DatabaseGate {
  readonly options: GateOptions;
  readonly #waiting = new Set<GatedSocket>();

  constructor(options: GateOptions) {
    this.options = options;
  }

  latencyMs(): number {
    const { chance } = this.options.clockwork;
    return chance.between(...(chance.hits(SLOW_SHARE) && this.options.faults.on ? SLOW_MS : QUICK_MS));
  }

  /** Waits until a client has its answer, or waits for a lock. */
  async settle(socket: GatedSocket): Promise<void> {
    const quick = await doneWithin(socket.answered, FIRST_LOOK_MS);
    if (!quick && (await this.#standsStill(socket))) this.#waiting.add(socket);
    else socket.deliverSoon();
  }

  /** Locks were let go of: whoever waited for one may have its answer, or wait for the next. */
  async settleWaiting(): Promise<void> {
    for (const socket of [...this.#waiting]) {
      if (await this.#standsStill(socket)) continue;
      this.#waiting.delete(socket);
      socket.deliverSoon();
    }
  }

  forget(socket: GatedSocket): void {
    this.#waiting.delete(socket);
  }

  async #standsStill(socket: GatedSocket): Promise<boolean> {
    for (;;) {
      if (socket.isAnswered) return false;
      if (socket.pid !== undefined && (await this.options.overseer.waitsForLock(socket.pid))) return true;
      if (await doneWithin(socket.answered, NEXT_LOOK_MS)) return false;
    }
  }
}

/** Lets every connection that is opened from now on go through the gate. @returns what takes it away again. */
export function holdGate(gate: DatabaseGate): () => void {
  const { Client, Pool } = pg;
  class GatedClient extends Client {
    constructor(config?: pg.ClientConfig) {
      super({ ...config, stream: () => new GatedSocket(gate) as unknown as net.Socket });
    }
  }
  class GatedPool extends Pool {
    constructor(config?: pg.PoolConfig) {
      super({ ...config, Client: GatedClient } as pg.PoolConfig);
    }
  }
  Object.assign(pg, { Client: GatedClient, Pool: GatedPool });
  return () => void Object.assign(pg, { Client, Pool });
}
