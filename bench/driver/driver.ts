import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { LoadSecond } from "../scenario.ts";
import type { Answer, Command, DriverSetUp, LoadFigures, LoadPlan, Progress } from "./protocol.ts";

/** The bench's side of its driver. */
export class Driver {
  readonly #child: ChildProcess;
  #waiting: PromiseWithResolvers<Answer> | undefined;
  /** Told of each second of a load. */
  onSecond: (second: LoadSecond) => void = () => {};

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message: Answer | Progress) => {
      if (message.type === "second") this.onSecond(message.second);
      else this.#waiting?.resolve(message);
    });
    child.once("exit", (code, signal) => {
      this.#waiting?.reject(new Error(`the driver ended with ${signal ?? `code ${code}`}`));
    });
  }

  static async start(setUp: DriverSetUp): Promise<Driver> {
    const driver = new Driver(fork(join(import.meta.dirname, "main.ts"), { execArgv: [] }));
    await driver.#ask({ type: "set-up", setUp });
    return driver;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async start(plan: LoadPlan): Promise<void> {
    await this.#ask({ type: "start", plan });
  }

  /** Gives an open loop another rate, from now on. */
  async changeRate(ratePerSecond: number): Promise<void> {
    await this.#ask({ type: "change-rate", ratePerSecond });
  }

  /** The figures since the last time. */
  take(): Promise<LoadFigures> {
    return this.#figures({ type: "take" });
  }

  /** Sends no more, waits for what is open, and gives what happened since the last time. */
  stop(): Promise<LoadFigures> {
    return this.#figures({ type: "stop" });
  }

  end(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  async #figures(command: Command): Promise<LoadFigures> {
    const answer = await this.#ask(command);
    if (answer.type !== "figures") throw new Error(`the driver answered ${answer.type}`);
    return answer.figures;
  }

  async #ask(command: Command): Promise<Answer> {
    if (this.#waiting !== undefined) throw new Error("the driver has not answered yet");
    this.#waiting = Promise.withResolvers<Answer>();
    this.#child.send(command);
    try {
      const answer = await this.#waiting.promise;
      if (answer.type === "broken") throw new Error(answer.message);
      return answer;
    } finally {
      this.#waiting = undefined;
    }
  }
}
