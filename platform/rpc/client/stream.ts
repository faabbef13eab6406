import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { FerryError } from "@ferry/platform/errors";
import { type experimental, type Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";
import { asBuffer, type MessageInit, toHeaders } from "../metadata.ts";
import { toFerryError } from "../status.ts";
import { broken, errorOf, type Outgoing } from "./unary.ts";

type Call = experimental.CallStream;

/** The engine drops messages that were not delivered when an error status arrives, so this many are read ahead. */
const READ_AHEAD = 4;

export interface IncomingStream {
  header: Headers;
  /** Filled when the last message has been read. */
  trailer: Headers;
  message: AsyncIterable<Message>;
}

/** Opens a stream. Resolves with the answer's headers; rejects, then and while it is read, with FerryError. */
export async function openStream(out: Outgoing, requests: AsyncIterable<MessageInit>): Promise<IncomingStream> {
  const { connection, deadlineAtMs, signal } = out;
  const pending = connection.ready(deadlineAtMs, signal);
  if (pending !== undefined) await pending;
  if (signal?.aborted === true) throw toFerryError(signal.reason);
  const call = connection.channel.createCall(out.method.path, deadlineAtMs, null, null, null);
  const stream = new ClientStream(out, call);
  stream.start();
  void stream.send(requests);
  await stream.headersReceived;
  return { header: stream.header, trailer: stream.trailer, message: stream };
}

class ClientStream implements AsyncIterable<Message> {
  header = new Headers();
  readonly trailer = new Headers();
  readonly headersReceived: Promise<void>;
  private readonly out: Outgoing;
  private readonly call: Call;
  private resolveHeaders: () => void = () => {};
  private readonly queue: Uint8Array[] = [];
  private received = 0;
  private reading = false;
  private wake: (() => void) | undefined;
  private ended = false;
  private error: FerryError | undefined;
  private readonly abort = () => this.call.cancelWithStatus(Status.CANCELLED, "canceled by the caller");

  constructor(out: Outgoing, call: Call) {
    this.out = out;
    this.call = call;
    this.headersReceived = new Promise((resolve) => {
      this.resolveHeaders = resolve;
    });
  }

  start(): void {
    this.call.start(this.out.metadata, {
      onReceiveMetadata: (metadata) => this.onHeaders(metadata),
      onReceiveMessage: (bytes) => this.onMessage(bytes),
      onReceiveStatus: (status) => this.onStatus(status),
    });
    this.out.signal?.addEventListener("abort", this.abort, { once: true });
    this.readAhead();
  }

  /** Sends requests as fast as flow control takes them; an error among them cancels the call. */
  async send(requests: AsyncIterable<MessageInit>): Promise<void> {
    const { input } = this.out.method.desc;
    const iterator = requests[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await iterator.next();
        if (this.ended) await iterator.return?.();
        if (done === true || this.ended) break;
        const body = asBuffer(toBinary(input, create(input, value)));
        await new Promise<void>((resolve) => {
          this.wakeSender = resolve;
          this.call.sendMessageWithContext({ callback: () => resolve() }, body);
        });
      }
      if (!this.ended) this.call.halfClose();
    } catch (error) {
      this.fail(toFerryError(error));
    }
  }

  private wakeSender: () => void = () => {};

  private onHeaders(metadata: Metadata): void {
    this.header = toHeaders(metadata);
    this.resolveHeaders();
  }

  private onMessage(bytes: Uint8Array): void {
    this.received++;
    if (this.out.method.desc.methodKind === "client_streaming" && this.received > 1)
      this.fail(broken(`${this.out.method.path} answered with several messages`));
    this.queue.push(bytes);
    this.wake?.();
    this.reading = false;
    this.readAhead();
  }

  private onStatus(status: StatusObject): void {
    this.ended = true;
    this.out.signal?.removeEventListener("abort", this.abort);
    for (const [name, value] of toHeaders(status.metadata)) this.trailer.append(name, value);
    const single = this.out.method.desc.methodKind === "client_streaming";
    if (status.code !== Status.OK) this.error ??= errorOf(this.out, status);
    else if (single && this.received === 0) this.error ??= broken(`${this.out.method.path} answered with no message`);
    this.resolveHeaders();
    this.wake?.();
    this.wakeSender();
  }

  private readAhead(): void {
    if (this.reading || this.ended || this.queue.length >= READ_AHEAD) return;
    this.reading = true;
    this.call.startRead();
  }

  private fail(error: FerryError): void {
    this.error ??= error;
    if (!this.ended) this.call.cancelWithStatus(Status.CANCELLED, error.message);
  }

  private async next(): Promise<IteratorResult<Message>> {
    while (this.queue.length === 0 && !this.ended)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        this.readAhead();
      });
    const bytes = this.queue.shift();
    if (bytes === undefined) {
      if (this.error !== undefined) throw this.error;
      return { done: true, value: undefined };
    }
    this.readAhead();
    const { output } = this.out.method.desc;
    try {
      return { done: false, value: fromBinary(output, bytes) };
    } catch (error) {
      const failure = broken(`a message of ${this.out.method.path} is not a ${output.typeName}`, error);
      this.fail(failure);
      throw failure;
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<Message> {
    return {
      next: () => this.next(),
      return: async (value) => {
        if (!this.ended) this.call.cancelWithStatus(Status.CANCELLED, "the caller reads no further");
        return { done: true, value };
      },
    };
  }
}
