import { EventEmitter } from "node:events";
import net from "node:net";
import type { Clockwork, Life } from "./clockwork.ts";
import type { Fault, Faults } from "./faults.ts";
import { FrameReader, queryFrame, readAsked } from "./frames.ts";

/** What a connection needs of its gate. */
export interface Gate {
  readonly options: {
    clockwork: Clockwork;
    faults: Faults;
    overseer: { terminate(pid: number): Promise<void> };
  };
  latencyMs(): number;
  settle(socket: GatedSocket): Promise<void>;
  settleWaiting(): Promise<void>;
  forget(socket: GatedSocket): void;
}

function reset(): Error {
  return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
}

/** As much of a socket as pg uses, with the gate between it and the real one. */
export class GatedSocket extends EventEmitter {
  writable = true;
  readonly writableCorked = 0;
  /** Of the server's process behind the connection. */
  pid: number | undefined;
  answered: Promise<void> = Promise.resolve();
  isAnswered = true;
  readonly #gate: Gate;
  readonly #clockwork: Clockwork;
  readonly #life: Life;
  readonly #real = new net.Socket();
  readonly #closed: Promise<void>;
  readonly #toServer = new FrameReader();
  readonly #fromServer = new FrameReader();
  readonly #statements = new Map<string, string>();
  #resolveAnswered: () => void = () => {};
  #outgoing: Buffer[] = [];
  #incoming: Buffer[] = [];
  #leaving = false;
  #started = false;
  #over = false;
  /** Answers that are missing before PostgreSQL is ready, and those of them that are the gate's own. */
  #missing = 0;
  #swallow = false;
  #transactionEnded = false;

  constructor(gate: Gate) {
    super();
    this.#gate = gate;
    this.#clockwork = gate.options.clockwork;
    this.#life = this.#clockwork.life;
    this.#life.atDeath.push(() => this.#terminate());
    this.#closed = new Promise((resolve) => this.#real.once("close", () => resolve()));
    this.#real.on("error", () => {}); // Its close says enough.
    this.#real.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#real.on("close", () => {
      this.#answer();
      if (!this.#over) this.#later("PostgreSQL has left", () => this.#break(reset()));
    });
  }

  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  /** What is asked for in one turn leaves together here anyway. */
  cork(): void {}
  uncork(): void {}
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  connect(port: number, host: string): this {
    this.#later("connect to PostgreSQL", async () => {
      await new Promise<void>((resolve) => {
        this.#real.once("connect", resolve);
        this.#real.once("close", () => resolve());
        this.#real.connect(port, host);
      });
      this.#real.setNoDelay(true);
      this.emit("connect");
    });
    return this;
  }

  write(bytes: Buffer, written?: () => void): boolean {
    if (bytes[0] === 0x58 && bytes.length === 5) this.end();
    else if (!this.#over) {
      this.#outgoing.push(bytes);
      this.#leaveSoon();
    }
    written?.();
    return true;
  }

  /** Says good-bye; PostgreSQL has let go of everything when this is over. */
  end(): this {
    if (this.#over) return this;
    this.#over = true;
    this.writable = false;
    this.#later("leave PostgreSQL", async () => {
      await this.#terminate();
      this.emit("close");
    });
    return this;
  }

  destroy(error?: Error): this {
    if (this.#over) return this;
    this.#over = true;
    this.writable = false;
    this.#later("break with PostgreSQL", () => this.#break(error));
    return this;
  }

  async #break(error?: Error): Promise<void> {
    this.#over = true;
    this.writable = false;
    await this.#terminate();
    if (error !== undefined) this.emit("error", error);
    this.emit("close");
  }

  #later(what: string, run: () => unknown): void {
    this.#clockwork.after(this.#gate.latencyMs(), what, run, { life: this.#life });
  }

  #leaveSoon(): void {
    if (this.#leaving || !this.isAnswered) return;
    this.#leaving = true;
    this.#later("to PostgreSQL", () => this.#leave());
  }

  async #leave(): Promise<void> {
    this.#leaving = false;
    if (this.#over) return;
    const { faults } = this.#gate.options;
    const bytes = Buffer.concat(this.#outgoing.splice(0));
    if (!this.#started) return this.#exchange(bytes, 1);
    const asked = readAsked(this.#toServer.read(bytes), this.#statements);
    if (asked.statements.length === 0) return this.#exchange(bytes, asked.answers); // Its password.
    this.#clockwork.note(asked.statements.join("; "));
    if (faults.bites("connection cut before the statement", this.#life)) return this.#break(reset());
    this.#swallow = true;
    const clock = queryFrame(`SET world.now_ms = '${this.#clockwork.unixMs}'`);
    const cut = asked.commits ? "connection cut before the answer to COMMIT" : "connection cut before the answer";
    await this.#exchange(Buffer.concat([clock, bytes]), asked.answers, cut);
  }

  async #exchange(bytes: Buffer, answers: number, cut?: Fault): Promise<void> {
    this.#missing = answers;
    this.isAnswered = answers === 0;
    if (answers > 0)
      this.answered = new Promise((resolve) => {
        this.#resolveAnswered = resolve;
      });
    this.#real.write(bytes);
    await this.#gate.settle(this);
    if (this.#transactionEnded) await this.#gate.settleWaiting();
    if (cut !== undefined && this.isAnswered && this.#gate.options.faults.bites(cut, this.#life))
      await this.#break(reset());
  }

  #receive(chunk: Buffer): void {
    for (const { type, bytes } of this.#fromServer.read(chunk)) {
      const isReady = type === "Z";
      if (this.#swallow) {
        if (isReady) this.#swallow = false;
        continue;
      }
      if (type === "A") continue; // Notifications may be lost; when they come is not the seed's to decide.
      if (type === "K") this.pid = bytes.readUInt32BE(5);
      this.#incoming.push(bytes);
      if (isReady) {
        this.#started = true;
        this.#missing--;
        this.#transactionEnded = bytes[5] === 0x49;
      }
      const asksForPassword = type === "R" && bytes.readUInt32BE(5) !== 0;
      if (asksForPassword || (isReady && this.#missing === 0)) this.#answer();
    }
  }

  /** PostgreSQL has said all that it has to say for now. */
  #answer(): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.#resolveAnswered();
  }

  /** Lets what PostgreSQL has said arrive. Not told by the real arrival: of two answers at once, its order is chance. */
  deliverSoon(): void {
    this.#later("answer of PostgreSQL", () => {
      if (this.#over) return;
      const bytes = Buffer.concat(this.#incoming.splice(0));
      if (bytes.length > 0) this.emit("data", bytes);
      if (this.#outgoing.length > 0) this.#leaveSoon();
    });
  }

  /** Ends the server's process: what it had not committed is taken back, and its locks are free, when this resolves. */
  async #terminate(): Promise<void> {
    this.#over = true;
    this.#gate.forget(this);
    if (this.pid !== undefined && !this.#real.destroyed) await this.#gate.options.overseer.terminate(this.pid);
    else this.#real.destroy();
    if (!this.#real.connecting) await this.#closed;
    await this.#gate.settleWaiting();
  }
}
