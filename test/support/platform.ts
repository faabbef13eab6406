// A whole platform for a test: the launcher as `npm start` runs it, on ports and data of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { claim, FIRST_FREE_PORT, isFree } from "./free-port.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
/** Every port of the launcher: see local/up/plan.ts. */
export const PORTS: readonly number[] = [
  ...[8080, 9080, 9101, 9102, 9103, 9104, 9105, 9107, 10101, 10102, 10103, 10104, 10105, 10107],
  ...[9092, 5433, 9200, 9201],
];
/** Listened on by whoever has found an offset, as long as its process lives: nobody else takes it meanwhile. */
const CLAIM_PORT = 8030;
/** No two of these ports lie a multiple of this apart: platforms at two offsets have none in common. */
const OFFSET_STEP = 110;
const FIRST_STEP = 14;
/** Whoever looks for a single port finds none of a platform's. */
const LAST_STEP = Math.floor((FIRST_FREE_PORT - 1 - Math.max(...PORTS)) / OFFSET_STEP);
const UP_TIMEOUT_MS = 90_000;
/** Ten times the default: to an edge whose machine stood still for a second its event loop looks overloaded, and it refuses. */
const MAX_LOOP_LAG_MS = "5000";

export interface UpFile {
  pid: number;
  edge: string;
  readyMs?: number;
  firstTransferMs?: number;
  processes: { name: string; pid: number | null; address: string; restarts: number }[];
}

export interface PlatformOptions {
  /** Variables for the launcher, as KAFKA_BROKERS. */
  environment?: Record<string, string>;
  /** Whether the launcher sends its own first transfer. Default false. */
  firstTransfer?: boolean;
  /** Added to every port; from `findOffset`, for who must know the ports before. */
  offset?: number;
  /** The folder of another checkout whose launcher is to be run. Default: this one. */
  repository?: string | undefined;
}

/** An offset at which every port is free, below those of `freePort`; for this process alone. */
export async function findOffset(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const offset = randomInt(FIRST_STEP, LAST_STEP + 1) * OFFSET_STEP;
    if (!(await claim(CLAIM_PORT + offset))) continue;
    const states = await Promise.all(PORTS.map((port) => isFree(port + offset)));
    if (states.every(Boolean)) return offset;
  }
  throw new Error("no offset found at which all ports are free");
}

/** Waits until something holds, looking every few milliseconds. @throws when it does not in time, saying what was waited for. */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 60_000,
): Promise<T> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > until) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await pause(25);
  }
}

export class Platform {
  readonly dataDirectory: string;
  readonly offset: number;
  /** What the launcher printed since its last start. */
  output: string[] = [];
  readonly #options: PlatformOptions;
  #launcher: ChildProcess | undefined;

  private constructor(dataDirectory: string, offset: number, options: PlatformOptions) {
    this.dataDirectory = dataDirectory;
    this.offset = offset;
    this.#options = options;
  }

  /** Makes a data folder, finds ports and starts. */
  static async start(options: PlatformOptions = {}): Promise<Platform> {
    const folder = mkdtempSync(join(tmpdir(), "ferry-flow-"));
    chmodSync(folder, 0o755); // PostgreSQL may run as another user, who has to get in.
    const platform = new Platform(folder, options.offset ?? (await findOffset()), options);
    await platform.startAgain().catch(async (error: unknown) => {
      await platform.interrupt(); // Nobody else could: a launcher that lives on would keep its test from ending.
      throw error;
    });
    return platform;
  }

  get edge(): string {
    return `http://127.0.0.1:${8080 + this.offset}`;
  }

  get bankControl(): string {
    return `http://127.0.0.1:${9201 + this.offset}`;
  }

  addressOf(port: number): string {
    return `127.0.0.1:${port + this.offset}`;
  }

  /** A database of the PostgreSQL that the platform uses. */
  get databaseUrl(): string {
    const given = this.#options.environment?.DATABASE_URL;
    if (given !== undefined) return given;
    const password = readFileSync(join(this.dataDirectory, "postgres", "password"), "utf8").trim();
    return `postgres://ferry:${password}@${this.addressOf(5433)}/ferry_ledger`;
  }

  get environment(): Record<string, string> {
    return {
      ...{ FERRY_DATA_DIR: this.dataDirectory, FERRY_PORT_OFFSET: String(this.offset) },
      ...{ FERRY_MAX_LOOP_LAG_MS: MAX_LOOP_LAG_MS, ...this.#options.environment },
    };
  }

  /** Starts the launcher on the same data and ports, and waits until the platform is up. */
  async startAgain(): Promise<void> {
    this.output = [];
    const flags = this.#options.firstTransfer ? [] : ["--no-first-transfer"];
    const { repository = REPOSITORY } = this.#options;
    const launcher = spawn(process.execPath, [join(repository, "local/up.ts"), ...flags], {
      cwd: repository,
      env: { ...process.env, ...this.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#launcher = launcher;
    for (const stream of [launcher.stdout, launcher.stderr])
      createInterface({ input: stream }).on("line", (line) => this.output.push(line));
    await waitFor(
      "the platform to be up",
      () => {
        if (launcher.exitCode !== null)
          throw new Error(`the launcher ended with code ${launcher.exitCode}:\n${this.output.join("\n")}`);
        return this.output.some((line) => line.startsWith("Ferry is up"));
      },
      UP_TIMEOUT_MS,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.output.join("\n")}`);
    });
  }

  readUpFile(): UpFile {
    return JSON.parse(readFileSync(join(this.dataDirectory, "up.json"), "utf8"));
  }

  #pidOf(name: string): number {
    const pid = this.readUpFile().processes.find((process) => process.name === name)?.pid;
    if (pid === undefined || pid === null) throw new Error(`${name} is not running`);
    return pid;
  }

  /** Kills one process with SIGKILL, and gives its process id. */
  kill9(name: string): number {
    const pid = this.#pidOf(name);
    process.kill(pid, "SIGKILL");
    return pid;
  }

  /** Has one process stand still during some work: what needs it cannot go on meanwhile, however long the work takes. */
  async whileFrozen<T>(name: string, work: () => Promise<T>): Promise<T> {
    const pid = this.#pidOf(name);
    process.kill(pid, "SIGSTOP");
    try {
      return await work();
    } finally {
      process.kill(pid, "SIGCONT");
    }
  }

  /** Kills the launcher and every process with SIGKILL, PostgreSQL's own too, at once. */
  async killAll(): Promise<void> {
    const { pid, processes } = this.readUpFile();
    const lockFile = join(this.dataDirectory, "postgres", "data", "postmaster.pid");
    const postgres = existsSync(lockFile) ? [Number(readFileSync(lockFile, "utf8").split("\n")[0])] : [];
    const ended = new Promise((done) => this.#launcher?.once("exit", done));
    for (const victim of [pid, ...processes.flatMap((process) => process.pid ?? []), ...postgres]) {
      try {
        process.kill(victim, "SIGKILL");
      } catch {
        // It ended in the meantime.
      }
    }
    await ended;
  }

  /** Stops as Ctrl-C does. @returns how long it took, in milliseconds. */
  async interrupt(): Promise<number> {
    const launcher = this.#launcher;
    if (launcher === undefined || launcher.exitCode !== null || launcher.signalCode !== null) return 0;
    const startedAt = Date.now();
    const ended = new Promise<void>((done) => launcher.once("exit", () => done()));
    launcher.kill("SIGINT");
    await ended;
    return Date.now() - startedAt;
  }

  /** Stops, and deletes the data unless KEEP_FERRY_DATA is set. */
  async stop(): Promise<void> {
    await this.interrupt();
    if (process.env.KEEP_FERRY_DATA !== undefined) return;
    // A PostgreSQL whose keeper was killed for being slow may still write.
    rmSync(this.dataDirectory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
