import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { EdgeCaller, Reply } from "../../support/client.ts";

const PASSWORD = "correct horse battery";
const EVERY_MS = 500;
const AGAIN_MS = 100;
const NOWHERE = { url: "http://127.0.0.1:9/", eventTypes: ["transfer.completed"], description: "a newcomer's" };

/**
 * People who sign up, log in, open an account and want webhooks, one after another, and are suspended and reinstated
 * where there is an operator: they pass the points that payments do not.
 */
export class Newcomers {
  /** Who came through to an account. */
  arrived = 0;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  readonly #edge: EdgeCaller;
  readonly #operatorToken: () => string | undefined;

  constructor(edge: EdgeCaller, operatorToken: () => string | undefined) {
    this.#edge = edge;
    this.#operatorToken = operatorToken;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const login = { email: `${randomUUID()}@example.com`, password: PASSWORD };
      const member = await this.#ask("/v1/members", { ...login, displayName: "Newcomer" });
      const session = await this.#ask("/v1/sessions", login);
      const token = session?.body.data?.accessToken;
      const account = await this.#ask("/v1/accounts", { currency: "EUR" }, token);
      if (account?.status === 201) this.arrived++;
      await this.#ask("/v1/webhook-endpoints", NOWHERE, token); // Of transfers that they never make.
      await this.#lookInto(member?.body.data?.member?.id);
      await this.#pause(EVERY_MS);
    }
  }

  async #lookInto(memberId: string | undefined): Promise<void> {
    const token = this.#operatorToken();
    if (token === undefined || memberId === undefined) return;
    for (const verb of ["suspend", "reinstate"])
      await this.#ask(`/v1/members/${memberId}:${verb}`, { reason: "the proof's" }, token);
  }

  /** Asks until there is an answer; one who signed up unheard is told that the email is taken, and goes on. */
  async #ask(path: string, body: object, token?: string): Promise<Reply | undefined> {
    while (!this.#stopping.signal.aborted) {
      const reply = await this.#edge.call("POST", path, { body, token }).catch(() => undefined);
      if (reply !== undefined && reply.status < 500 && reply.status !== 429) return reply;
      await this.#pause(AGAIN_MS);
    }
    return undefined;
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
