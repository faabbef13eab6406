import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { type Arm, armFile, hitsFile } from "./registry.ts";

interface Connected {
  pid: number;
  socket: Socket;
}

/** Hears which points the processes of a platform pass, and tells them at which to die. */
export class FailpointControl {
  readonly directory = mkdtempSync(join(tmpdir(), "ferry-failpoints-"));
  readonly #server: Server;
  readonly #processes = new Map<string, Connected>();
  readonly #points = new Map<string, Set<string>>();
  #deaths: ReadonlyMap<string, number> = new Map();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<FailpointControl> {
    const server = createServer();
    const control = new FailpointControl(server);
    server.on("connection", (socket) => control.#connected(socket));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return control;
  }

  /** Variables for the launcher of the platform. */
  get environment(): Record<string, string> {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the control is closed");
    return {
      NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, "hook.ts")).href}`,
      FERRY_FAILPOINTS_DIR: this.directory,
      FERRY_FAILPOINTS_PORT: String(address.port),
    };
  }

  /** Every point that was passed since the beginning, by process. */
  get points(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#points;
  }

  /** The process id that a process has now; undefined while it is not there. */
  pidOf(process: string): number | undefined {
    return this.#processes.get(process)?.pid;
  }

  /** Has a running process die at a point; undefined takes that back. */
  arm(process: string, arm: Arm | undefined): void {
    this.#processes.get(process)?.socket.write(`${JSON.stringify({ arm })}\n`);
  }

  /** Has the next life of a process die at a point. */
  armNext(process: string, arm: Arm): void {
    writeFileSync(armFile(this.directory, process), JSON.stringify(arm));
  }

  disarmAll(): void {
    for (const { socket } of this.#processes.values()) socket.write("{}\n");
    // Also of those that are on their way back: else their next life dies when nobody expects it any more.
    for (const name of this.#points.keys()) rmSync(armFile(this.directory, name), { force: true });
  }

  /** How often a process died at a point so far. */
  deathsAt(process: string, point: string): number {
    return this.#deaths.get(`${process}\t${point}`) ?? 0;
  }

  close(): void {
    for (const { socket } of this.#processes.values()) socket.destroy();
    this.#server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #readDeaths(): void {
    const file = hitsFile(this.directory);
    if (!existsSync(file)) return;
    const lines = readFileSync(file, "utf8").split("\n");
    this.#deaths = new Map(
      Map.groupBy(lines, (line) => line)
        .entries()
        .map(([line, all]) => [line, all.length]),
    );
  }

  #connected(socket: Socket): void {
    let name = "";
    socket.on("error", () => {}); // A process that was killed leaves like that.
    socket.on("close", () => {
      if (this.#processes.get(name)?.socket === socket) this.#processes.delete(name);
      this.#readDeaths();
    });
    const lines = createInterface({ input: socket });
    lines.on("error", () => {});
    lines.on("line", (line) => {
      const heard = JSON.parse(line) as { process?: string; pid?: number; point?: string };
      if (heard.process !== undefined) {
        name = heard.process;
        this.#processes.set(name, { pid: heard.pid ?? 0, socket });
        if (!this.#points.has(name)) this.#points.set(name, new Set());
      }
      if (heard.point !== undefined) this.#points.get(name)?.add(heard.point);
    });
  }
}
