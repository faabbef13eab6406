import type { Socket } from "node:net";
import type { Answer, BrokerRoom, Peer } from "./apis/room.ts";
import { findApi } from "./apis/table.ts";
import { ProtocolError } from "./protocol/error-codes.ts";
import { FrameReader } from "./protocol/frame-reader.ts";
import { Reader } from "./protocol/reader.ts";

/** Requests that have arrived but wait for their turn may take this much more than one of the largest. */
const READ_AHEAD_BYTES = 1_048_576;

/**
 * One client's connection: requests are answered one after the other, so that responses leave in the order of the
 * requests, as the protocol demands, and a connection never holds more than one response.
 *
 * What is malformed ends this connection with a line in the log, and nothing else.
 */
export class Connection implements Peer {
  readonly address: string;
  onClose: (() => void) | undefined;
  readonly #socket: Socket;
  readonly #room: BrokerRoom;
  readonly #frames: FrameReader;
  readonly #maxBufferedBytes: number;
  #busy = false;

  constructor(socket: Socket, room: BrokerRoom, maxRequestBytes: number) {
    this.address = socket.remoteAddress ?? "unknown";
    this.#socket = socket;
    this.#room = room;
    this.#frames = new FrameReader(maxRequestBytes);
    this.#maxBufferedBytes = maxRequestBytes + READ_AHEAD_BYTES;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => this.#continue());
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => {
      this.onClose?.();
      room.coordinator.connectionClosed(this);
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#frames.push(chunk);
    this.#advance();
    // Reading goes on while a request is answered, or a closed connection would not be noticed.
    if (this.#frames.bufferedBytes > this.#maxBufferedBytes) this.#socket.pause();
  }

  #continue(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#advance();
  }

  /** Answers what has arrived until a request must wait, or the client is slow to read. */
  #advance(): void {
    try {
      while (!this.#busy && !this.#socket.destroyed && !this.#socket.writableNeedDrain) {
        const request = this.#frames.next();
        if (request === undefined) return;
        this.#answer(request);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #answer(request: Buffer): void {
    const body = new Reader(request);
    const key = body.int16();
    const version = body.int16();
    const correlationId = body.int32();
    const clientId = body.nullableString() ?? "";
    const handle = findApi(key, version);
    if (handle === undefined) throw new ProtocolError(`request ${key} is not offered in version ${version}`);
    const answer = handle({ version, clientId, body, peer: this }, this.#room);
    if (!(answer instanceof Promise)) {
      this.#send(answer, correlationId);
      return;
    }
    this.#busy = true;
    answer.then(
      (late) => {
        this.#busy = false;
        this.#send(late, correlationId);
        this.#continue();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #send(answer: Answer, correlationId: number): void {
    if (answer !== undefined && !this.#socket.destroyed) this.#socket.write(answer.frame(correlationId));
  }

  #fail(error: unknown): void {
    const expected = error instanceof ProtocolError || error instanceof RangeError;
    const reason = error instanceof Error && !expected ? error.stack : String(error);
    this.#room.log("connection closed", { address: this.address, reason });
    this.#socket.destroy();
  }
}
