import type { ClientHttp2Session } from "node:http2";
import { create, type Message } from "@bufbuild/protobuf";
import { encode } from "@ferry/platform/codec";
import { FerryError } from "@ferry/platform/errors";
import { FrameReader, frameOf, unframe } from "../frames.ts";
import type { MessageInit } from "../metadata.ts";
import { headersOf } from "../metadata.ts";
import { toFerryError } from "../status.ts";
import { broken, miscounted } from "./answer.ts";
import { ClientCall, type Outgoing } from "./call.ts";
import { decodeAnswer } from "./unary.ts";

/** Messages that wait to be read; with more, the peer is told to wait by flow control. */
const READ_AHEAD = 4;

export interface IncomingStream {
  header: Headers;
  /** Filled when the last message has been read. */
  trailer: Headers;
  message: AsyncIterable<Message>;
}

/** Opens a stream. Resolves with the answer's headers; rejects, then and while it is read, with FerryError. */
export async function openStream(out: Outgoing, requests: AsyncIterable<MessageInit>): Promise<IncomingStream> {
  if (out.signal?.aborted === true) throw toFerryError(out.signal.reason);
  const stream = new StreamCall(out);
  await stream.start(await out.sessions.take(out.deadlineAtMs, out.signal), requests);
  return { header: headersOf(stream.header), trailer: stream.trailers, message: stream };
}

class StreamCall extends ClientCall implements AsyncIterable<Message> {
  readonly trailers = new Headers();
  private readonly reader: FrameReader;
  private received = 0;
  private failure: FerryError | undefined;
  private readonly opened = Promise.withResolvers<void>();
  private wakeReader: () => void = () => {};
  private wakeSender: () => void = () => {};

  constructor(out: Outgoing) {
    super(out);
    this.reader = new FrameReader(out.maxMessageBytes);
  }

  /** Resolves when the answer's headers are there, or the call has ended without. */
  start(session: ClientHttp2Session, requests: AsyncIterable<MessageInit>): Promise<void> {
    if (this.open(session)) {
      this.stream.on("drain", () => this.wakeSender());
      void this.send(requests);
    }
    return this.opened.promise;
  }

  /** Sends requests as fast as flow control takes them; an error among them cancels the call. */
  private async send(requests: AsyncIterable<MessageInit>): Promise<void> {
    const { input } = this.out.method.desc;
    const iterator = requests[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await iterator.next();
        if (this.over) await iterator.return?.();
        if (done === true || this.over) break;
        if (!this.stream.write(frameOf(encode(input, create(input, value)))))
          await new Promise<void>((resolve) => {
            this.wakeSender = resolve;
          });
      }
      if (!this.over) this.stream.end();
    } catch (error) {
      this.cancel(toFerryError(error));
    }
  }

  protected override onHeaders(): void {
    this.opened.resolve();
  }

  protected onData(chunk: Buffer): void {
    const before = this.reader.frames.length;
    this.reader.add(chunk);
    this.received += this.reader.frames.length - before;
    if (this.isSingle && this.received > 1) throw miscounted(`${this.out.method.path} answered with several messages`);
    if (this.reader.frames.length >= READ_AHEAD) this.stream.pause();
    this.wakeReader();
  }

  protected onEnd(failure: FerryError | undefined): void {
    for (const [name, value] of headersOf(this.trailer ?? (failure === undefined ? undefined : this.header)))
      this.trailers.append(name, value);
    this.failure = failure ?? this.problem();
    this.opened.resolve();
    this.wakeReader();
    this.wakeSender();
  }

  /** What is wrong with an answer that ended well. */
  private problem(): FerryError | undefined {
    const { path } = this.out.method;
    if (this.reader.isTorn) return broken(`the answer of ${path} ends in the middle of a message`);
    return this.isSingle && this.received === 0 ? miscounted(`${path} answered with no message`) : undefined;
  }

  private get isSingle(): boolean {
    return this.out.method.desc.methodKind === "client_streaming";
  }

  private async next(): Promise<IteratorResult<Message>> {
    while (this.reader.frames.length === 0 && !this.over)
      await new Promise<void>((resolve) => {
        this.wakeReader = resolve;
      });
    const frame = this.reader.frames.shift();
    if (frame === undefined) {
      if (this.failure !== undefined) throw this.failure;
      return { done: true, value: undefined };
    }
    if (!this.over && this.reader.frames.length < READ_AHEAD) this.stream.resume();
    try {
      const bytes = await unframe(frame, this.header?.["grpc-encoding"], this.out.maxMessageBytes);
      return { done: false, value: decodeAnswer(this.out, bytes) };
    } catch (error) {
      const failure = toFerryError(error);
      this.cancel(failure);
      throw failure;
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<Message> {
    return {
      next: () => this.next(),
      return: async (value) => {
        this.cancel(new FerryError("CANCELED", "the caller reads no further"));
        return { done: true, value };
      },
    };
  }
}
