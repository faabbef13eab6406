import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import type { UpConfig } from "./config.ts";
import type { Supervised } from "./supervisor.ts";

/** What .ferry/up.json tells about the platform that is up. */
export interface UpState {
  pid: number;
  edge: string;
  /** RFC 3339. */
  startedAt: string;
  /** From the start of the launcher until every process was ready; absent until then. */
  readyMs?: number;
  /** From the start of the launcher until the first transfer was settled; absent until then. */
  firstTransferMs?: number;
}

/** Keeps .ferry/up.json true while the platform is up, and takes it away when it is not. */
export class StateFile {
  readonly #file: string;
  readonly #config: UpConfig;

  constructor(config: UpConfig) {
    this.#file = join(config.dataDirectory, "up.json");
    this.#config = config;
  }

  /** The process id of a launcher that is up on the same data, if there is one. */
  findRunning(): number | undefined {
    if (!existsSync(this.#file)) return undefined;
    try {
      const { pid } = JSON.parse(readFileSync(this.#file, "utf8")) as { pid: number };
      process.kill(pid, 0);
      return pid === process.pid ? undefined : pid;
    } catch {
      return undefined; // A launcher that was killed left its file behind.
    }
  }

  write(state: UpState, processes: readonly Supervised[]): void {
    const { commit } = this.#config;
    const content = {
      ...state,
      version: packageJson.version,
      commit,
      processes: processes.map(({ plan, pid, restarts }) => ({
        name: plan.name,
        pid: pid ?? null,
        address: plan.address,
        restarts,
      })),
    };
    writeFileSync(`${this.#file}.new`, `${JSON.stringify(content, null, 2)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }

  remove(): void {
    rmSync(this.#file, { force: true });
  }
}
