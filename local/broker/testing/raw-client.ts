import { once } from "node:events";
import net from "node:net";
import { FrameReader } from "../protocol/frame-reader.ts";
import { Reader } from "../protocol/reader.ts";
import { Writer } from "../protocol/writer.ts";

/** The part of a Writer that builds a request's body. */
type WriteBody = (body: Writer) => unknown;

interface Response {
  readonly correlationId: number;
  readonly body: Reader;
}

/** A client that sends exactly what a test wants, and sees exactly what the broker answers. For tests. */
export class RawClient {
  readonly socket: net.Socket;
  /** Correlation ids of the responses, in the order of their arrival. */
  readonly answered: number[] = [];
  readonly #frames = new FrameReader(1 << 26);
  readonly #waiting: ((response: Response) => void)[] = [];
  #correlationId = 0;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      this.#frames.push(chunk);
      for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
        const body = new Reader(frame);
        const correlationId = body.int32();
        this.answered.push(correlationId);
        this.#waiting.shift()?.({ correlationId, body });
      }
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = net.connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** Resolves with the next response that no earlier request waits for. */
  request(key: number, version: number, write: WriteBody): Promise<Response> {
    const response = new Promise<Response>((resolve) => this.#waiting.push(resolve));
    this.send(key, version, write);
    return response;
  }

  /** @returns the correlation id of the request. */
  send(key: number, version: number, write: WriteBody): number {
    this.#correlationId += 1;
    const body = new Writer().string("raw");
    write(body);
    const framed = body.frame(this.#correlationId);
    const header = Buffer.alloc(12);
    header.writeInt32BE(framed.length, 0); // key and version take the four bytes of the frame's own size
    header.writeInt16BE(key, 4);
    header.writeInt16BE(version, 6);
    header.writeInt32BE(this.#correlationId, 8);
    this.socket.write(Buffer.concat([header, framed.subarray(8)]));
    return this.#correlationId;
  }

  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, "close");
  }

  close(): void {
    this.socket.destroy();
  }
}
