// Asks an edge, from a process of its own, over raw sockets: requests are made once and written as they are, since
// what the driver takes of the machine is missing to whoever answers.
import { connect, type Socket } from "node:net";
import { Histogram } from "../../driver/histogram.ts";
import type { LoopFigures } from "../closed-loop.ts";
import { serveParent } from "../serve-parent.ts";

export interface LoadOptions {
  port: number;
  connections: number;
  seconds: number;
  /** Whole requests with their headers, sent in turn. */
  requests: string[];
}

const HEAD_END = Buffer.from("\r\n\r\n");
const OK = Buffer.from("HTTP/1.1 200 ");
const LENGTH = Buffer.from("ontent-length: ");
const LENGTH_CAPITAL = Buffer.from("ontent-Length: ");
const IDLE_MS = 10_000;

/** The length of the answer that stands at the beginning, with its head; undefined while it has not all come. */
function lengthOf(bytes: Buffer): number | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1) return undefined;
  let at = bytes.indexOf(LENGTH);
  if (at === -1 || at > headEnd) at = bytes.indexOf(LENGTH_CAPITAL);
  if (at === -1 || at > headEnd)
    throw new Error(`an answer without its length: ${bytes.toString("latin1", 0, headEnd)}`);
  let length = 0;
  for (at += LENGTH.length; bytes[at]! >= 0x30 && bytes[at]! <= 0x39; at++) length = length * 10 + bytes[at]! - 0x30;
  const total = headEnd + HEAD_END.length + length;
  return bytes.length >= total ? total : undefined;
}

interface Round {
  requests: readonly Buffer[];
  next: number;
  untilMs: number;
  times: Histogram;
  errors: number;
  example: string;
}

/** One connection: a request, its answer, the next, until the round is over. */
function converse(socket: Socket, round: Round): Promise<void> {
  return new Promise((done) => {
    let sentAtMs = 0;
    let received: Buffer | undefined;
    const send = () => {
      sentAtMs = performance.now();
      if (sentAtMs >= round.untilMs) return finish();
      socket.write(round.requests[round.next++ % round.requests.length]!);
    };
    const fail = (example: string) => {
      if (round.errors++ === 0) round.example = example;
    };
    const finish = () => {
      socket.removeAllListeners();
      socket.destroy();
      done();
    };
    socket.on("data", (chunk: Buffer) => {
      const bytes = received === undefined ? chunk : Buffer.concat([received, chunk]);
      try {
        if (lengthOf(bytes) !== bytes.length) {
          received = bytes;
          return;
        }
      } catch (error) {
        fail(String(error));
        return finish();
      }
      received = undefined;
      if (!bytes.subarray(0, OK.length).equals(OK)) fail(bytes.toString("utf8", 0, 600));
      else round.times.add(performance.now() - sentAtMs);
      send();
    });
    socket.setTimeout(IDLE_MS, () => {
      fail("no answer came");
      finish();
    });
    socket.on("error", (error) => fail(error.message));
    socket.on("close", () => {
      fail("the connection was closed");
      finish();
    });
    socket.setNoDelay(true);
    socket.once("connect", send);
  });
}

serveParent({
  async load({ port, connections, seconds, requests }: LoadOptions): Promise<LoopFigures> {
    const startedAt = performance.now();
    const round: Round = {
      ...{ requests: requests.map((text) => Buffer.from(text)), next: 0, times: new Histogram() },
      ...{ untilMs: startedAt + seconds * 1_000, errors: 0, example: "" },
    };
    const sockets = Array.from({ length: connections }, () => connect({ port, host: "127.0.0.1" }));
    await Promise.all(sockets.map((socket) => converse(socket, round)));
    const { times, errors, example } = round;
    return {
      ...{ count: times.count, errors, example },
      seconds: (performance.now() - startedAt) / 1_000,
      p50Ms: times.percentile(0.5),
      p99Ms: times.percentile(0.99),
    };
  },
});
