import { setTimeout as pause } from "node:timers/promises";
import type { EdgeCaller, Reply } from "../../support/client.ts";
import type { Kept } from "./kept.ts";

const PAUSE_MS = 300;
const AGAIN_MS = 100;
/** What is promised for soon has so long, restarts of what has to do it included. */
const SOON_MS = 60_000;

export interface Question {
  body?: object | undefined;
  token?: string | undefined;
  /** Refusals that say no more than that the same was done before, when its answer did not come. */
  whenSentAgain?: readonly string[];
  /** Refusals that whoever asks reckons with. */
  mayBe?: readonly string[];
}

/** Thrown when nothing more is to be asked. */
class Stopped extends Error {}

/** What a walker does from its beginning to its end, again and again. */
export type Walk = (walker: Walker) => Promise<void>;

/**
 * Somebody who asks for one thing after another, each until it is answered: in none of it is a key that would have it done
 * once only.
 */
export class Walker {
  readonly kept: Kept;
  /** What was answered otherwise than was promised. */
  readonly surprises: string[];
  readonly #edge: EdgeCaller;
  readonly #signal: AbortSignal;

  constructor(parts: { edge: EdgeCaller; kept: Kept; surprises: string[]; signal: AbortSignal }) {
    this.kept = parts.kept;
    this.surprises = parts.surprises;
    this.#edge = parts.edge;
    this.#signal = parts.signal;
  }

  async run(walk: Walk): Promise<void> {
    while (!this.#signal.aborted) {
      await walk(this).catch((error: unknown) => {
        if (!(error instanceof Stopped)) this.surprises.push(String(error));
      });
      await this.pause(PAUSE_MS).catch(() => {});
    }
  }

  /** Asks until there is an answer. */
  async ask(method: string, path: string, question: Question = {}): Promise<Reply> {
    const { body, token, whenSentAgain = [], mayBe = [] } = question;
    for (let sent = 1; ; sent++) {
      const reply = await this.#edge.call(method, path, { body, token }).catch(() => undefined);
      if (reply !== undefined && reply.status < 500 && reply.status !== 429) {
        const code = reply.body.error?.code;
        const isExpected = reply.status < 300 || mayBe.includes(code) || (sent > 1 && whenSentAgain.includes(code));
        if (!isExpected)
          this.surprises.push(`${method} ${path} was answered ${reply.status} ${code}, sent ${sent} times`);
        return reply;
      }
      await this.pause(AGAIN_MS);
    }
  }

  /** Waits for what was promised for soon. */
  async soon(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
    for (const until = Date.now() + SOON_MS; !(await look()); await this.pause(AGAIN_MS))
      if (Date.now() > until) {
        this.surprises.push(`not within ${SOON_MS / 1_000} s: ${what}`);
        return;
      }
  }

  /** The answer to one attempt; undefined when there was none. */
  tryOnce(method: string, path: string, token: string): Promise<Reply | undefined> {
    return this.#edge.call(method, path, { body: {}, token }).catch(() => undefined);
  }

  /** @throws Stopped when the load is to end. */
  async pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#signal }).catch(() => {
      throw new Stopped();
    });
  }
}

/** People who walk, until they are stopped. */
export class Walkers {
  readonly surprises: string[] = [];
  readonly #stopping = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(walks: readonly Walk[], { edge, kept }: { edge: EdgeCaller; kept: Kept }) {
    const parts = { edge, kept, surprises: this.surprises, signal: this.#stopping.signal };
    this.#running = Promise.all(walks.map((walk) => new Walker(parts).run(walk)));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }
}
