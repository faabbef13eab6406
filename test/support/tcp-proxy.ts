// A small TCP proxy that misbehaves on demand: latency, cuts, half-closes, black holes. It needs no rights of the
// kernel, and hurts only the connections that go through it.
import { connect, createServer, type Server, type Socket } from "node:net";

/** "up" is from the client to the server. */
export type Direction = "up" | "down";

export interface Cut {
  direction: Direction;
  /** Whether the cut comes with these bytes. */
  when(bytes: Buffer): boolean;
  /** Whether the bytes still go through. What the other side says afterwards never does. */
  deliver: boolean;
}

interface Pair {
  client: Socket;
  server: Socket;
}

export class TcpProxy {
  /** Added to each chunk in each direction, in milliseconds. */
  latencyMs = 0;
  /** New connections are closed at once. */
  refusing = false;
  /** How many connections came, how many were cut, how many chunks did not come through. */
  readonly counts = { connections: 0, cuts: 0, held: 0 };
  readonly #dark = new Set<Direction>();
  /** What waits for the way to be open again, as TCP sends again what was lost. */
  #held: (() => void)[] = [];
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #pairs = new Set<Pair>();
  #cut: { wanted: Cut; done(): void } | undefined;

  private constructor(server: Server, target: { host: string; port: number }) {
    this.#server = server;
    this.#target = target;
  }

  /** Starts on a free port of 127.0.0.1. */
  static async start(target: { port: number; host?: string }): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new TcpProxy(server, { host: "127.0.0.1", ...target });
    server.on("connection", (client) => proxy.#accept(client));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy is closed");
    return address.port;
  }

  /** An address that goes to the target, with this proxy in its place. */
  through(url: string): string {
    const changed = new URL(url);
    changed.hostname = "127.0.0.1";
    changed.port = String(this.port);
    return changed.href;
  }

  get open(): number {
    return this.#pairs.size;
  }

  /** Cuts the connection that first carries what is asked for. Resolves when that has happened. */
  cutOnce(wanted: Cut): Promise<void> {
    return new Promise((done) => {
      this.#cut = { wanted, done };
    });
  }

  /** Nothing goes through in these directions, and nobody is told: connections stay open. */
  darken(...directions: Direction[]): void {
    for (const direction of directions) this.#dark.add(direction);
  }

  /** Everything goes through again, with what was held up. */
  lighten(): void {
    this.#dark.clear();
    const held = this.#held;
    this.#held = [];
    for (const deliver of held) deliver();
  }

  /** Cuts all connections at once, by a reset. */
  cutAll(): void {
    for (const pair of this.#pairs) this.#destroy(pair);
  }

  /** Tells the servers that nothing more will come from the clients, and keeps the way back open. */
  halfCloseAll(): void {
    for (const { server } of this.#pairs) server.end();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((done) => this.#server.close(() => done()));
    this.cutAll();
    await closed;
  }

  #accept(client: Socket): void {
    this.counts.connections++;
    if (this.refusing) return void client.resetAndDestroy();
    const server = connect({ ...this.#target, allowHalfOpen: true });
    const pair: Pair = { client, server };
    this.#pairs.add(pair);
    this.#pipe(pair, client, server, "up");
    this.#pipe(pair, server, client, "down");
  }

  #pipe(pair: Pair, from: Socket, to: Socket, direction: Direction): void {
    from.setNoDelay(true);
    from.on("error", () => this.#destroy(pair));
    from.on("close", () => this.#destroy(pair));
    from.on("end", () => this.#pass(direction, () => to.end()));
    from.on("data", (bytes: Buffer) => {
      if (this.#cut?.wanted.direction === direction && this.#cut.wanted.when(bytes)) this.#carryOutCut(pair, to, bytes);
      else if (this.latencyMs > 0) setTimeout(() => to.destroyed || to.write(bytes), this.latencyMs);
      else this.#pass(direction, () => to.destroyed || to.write(bytes));
    });
  }

  #pass(direction: Direction, deliver: () => void): void {
    if (this.#dark.has(direction)) {
      this.counts.held++;
      this.#held.push(deliver);
    } else deliver();
  }

  #carryOutCut(pair: Pair, to: Socket, bytes: Buffer): void {
    const { wanted, done } = this.#cut!;
    this.#cut = undefined;
    this.counts.cuts++;
    const back = wanted.direction === "up" ? pair.server : pair.client;
    if (!wanted.deliver) {
      this.#destroy(pair);
      done();
      return;
    }
    back.removeAllListeners("data");
    const over = () => {
      this.#destroy(pair);
      done();
    };
    // The answer is the sign that it was done: it ends here. Whoever asked may lose patience and leave before.
    back.once("data", over);
    back.once("close", over);
    to.write(bytes);
  }

  #destroy(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    pair.client.resetAndDestroy();
    pair.server.destroy();
  }
}
