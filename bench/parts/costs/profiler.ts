import { readFileSync } from "node:fs";
import { waitFor } from "../../../test/support/platform.ts";
import type { CpuProfile } from "./attribute.ts";

/** The variable with which Node processes can be asked for a profile while they run, each on a free port. */
export const PROFILABLE = { NODE_OPTIONS: "--inspect-port=0" };

const INTERVAL_US = 500;
const OPEN_TIMEOUT_MS = 10_000;
const MAX_NUMBER = 100;

interface Reply {
  id: number;
  error?: { message: string };
  result?: { profile?: CpuProfile };
}

/** A process whose inspector is open. Until a profile is asked for it runs as it would without. */
export class Profiler {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Reply["result"]>>();
  #number = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, error, result } = JSON.parse(String(data)) as Reply;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error.message));
    });
    socket.addEventListener("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the inspector is gone"));
    });
  }

  /**
   * Opens the inspector of a running process by its signal.
   *
   * @param logFile Where its standard error goes: it says there on which port it listens.
   */
  static async open(pid: number, logFile: string): Promise<Profiler> {
    process.kill(pid, "SIGUSR1");
    const url = await waitFor(
      "the inspector to listen",
      () => /Debugger listening on (ws:\S+)/.exec(readFileSync(logFile, "utf8"))?.[1],
      OPEN_TIMEOUT_MS,
    );
    const socket = new WebSocket(url);
    await new Promise<void>((opened, failed) => {
      socket.addEventListener("open", () => opened());
      socket.addEventListener("error", () => failed(new Error(`the inspector at ${url} does not answer`)));
    });
    return new Profiler(socket);
  }

  async start(): Promise<void> {
    await this.#ask("Profiler.enable");
    await this.#ask("Profiler.setSamplingInterval", { interval: INTERVAL_US });
    await this.#ask("Profiler.start");
  }

  /** Ends the profile that was begun. */
  async stop(): Promise<CpuProfile> {
    const profile = (await this.#ask("Profiler.stop"))?.profile;
    this.#socket.close();
    if (profile === undefined) throw new Error("the inspector gave no profile");
    return profile;
  }

  #ask(method: string, params: object = {}): Promise<Reply["result"]> {
    const id = ++this.#number;
    if (id > MAX_NUMBER) throw new Error("too many questions to one inspector");
    const waiting = Promise.withResolvers<Reply["result"]>();
    this.#waiting.set(id, waiting);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return waiting.promise;
  }
}
