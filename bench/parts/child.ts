import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { nodeArguments } from "../../local/up/plan.ts";

/** What goes to a child, and what comes back; each question has one answer with its number. */
export interface Question {
  number: number;
  command: string;
  argument: unknown;
}
export type Reply = { number: number; result: unknown } | { number: number; error: string };

const END_TIMEOUT_MS = 5_000;

/** A process of a part: asked over IPC, ended by its own handle, and with the process that started it. */
export class Child {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #asked = 0;

  /** @param file From this folder, as "hop/server-process.ts". It runs with the arguments that every process of the platform gets. */
  constructor(file: string) {
    this.#process = fork(join(import.meta.dirname, file), {
      execArgv: nodeArguments("edge"),
      serialization: "advanced",
    });
    this.#process.on("message", (reply: Reply) => {
      const waiting = this.#waiting.get(reply.number);
      this.#waiting.delete(reply.number);
      if ("error" in reply) waiting?.reject(new Error(`${file}: ${reply.error}`));
      else waiting?.resolve(reply.result);
    });
    this.#process.once("exit", (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${file} ended with ${signal ?? code}`));
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** @throws Error with what the child threw, or when it ends before it answers. */
  ask<Result>(command: string, argument?: unknown): Promise<Result> {
    const number = this.#asked++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(number, waiting);
    const question: Question = { number, command, argument };
    this.#process.send(question, (error) => {
      if (error !== null) waiting.reject(error);
    });
    return waiting.promise as Promise<Result>;
  }

  /** Asks the child to end, which it does when nobody talks to it any more; kills it when it does not. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((done) => this.#process.once("exit", done));
    if (this.#process.connected) this.#process.disconnect();
    const impatience = setTimeout(() => this.#process.kill("SIGKILL"), END_TIMEOUT_MS);
    await ended;
    clearTimeout(impatience);
  }
}
