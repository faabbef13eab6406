import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import { decode } from "@ferry/platform/codec";
import type { FerryError } from "@ferry/platform/errors";
import { FrameReader, unframe } from "../frames.ts";
import { toFerryError } from "../status.ts";
import { broken, miscounted } from "./answer.ts";
import { ClientCall, type Outgoing, Refused } from "./call.ts";

export interface Incoming {
  message: Message;
  header: IncomingHttpHeaders | undefined;
  trailer: IncomingHttpHeaders | undefined;
}

/** How often a call is sent again that its peer surely never began, since a session that ended refused it. */
const MAX_REFUSALS = 3;

/**
 * Sends one message and waits for one. Rejects with FerryError.
 *
 * @param frame The message, framed.
 */
export async function sendUnary(out: Outgoing, frame: Buffer): Promise<Incoming> {
  const { sessions, deadlineAtMs, signal } = out;
  for (let refusals = 0; ; refusals++) {
    if (signal?.aborted === true) throw toFerryError(signal.reason);
    const taken = sessions.take(deadlineAtMs, signal);
    const session = taken instanceof Promise ? await taken : taken;
    try {
      return await new Promise<Incoming>((resolve, reject) => new UnaryCall(out, resolve, reject).send(session, frame));
    } catch (error) {
      if (!(error instanceof Refused) || refusals === MAX_REFUSALS) throw error;
    }
  }
}

class UnaryCall extends ClientCall {
  private readonly resolve: (incoming: Incoming) => void;
  private readonly reject: (error: FerryError) => void;
  private readonly reader: FrameReader;

  constructor(out: Outgoing, resolve: (incoming: Incoming) => void, reject: (error: FerryError) => void) {
    super(out);
    this.resolve = resolve;
    this.reject = reject;
    this.reader = new FrameReader(out.maxMessageBytes);
  }

  send(session: ClientHttp2Session, frame: Buffer): void {
    if (this.open(session)) this.stream.end(frame);
  }

  protected onData(chunk: Buffer): void {
    this.reader.add(chunk);
    if (this.reader.frames.length > 1) throw miscounted(`${this.out.method.path} answered with several messages`);
  }

  protected onEnd(failure: FerryError | undefined): void {
    if (failure !== undefined) this.reject(failure);
    else
      try {
        this.answer();
      } catch (error) {
        this.reject(toFerryError(error));
      }
  }

  private answer(): void {
    const { method, maxMessageBytes } = this.out;
    const [frame] = this.reader.frames;
    if (this.reader.isTorn) throw broken(`the answer of ${method.path} ends in the middle of a message`);
    if (frame === undefined) throw miscounted(`${method.path} answered with no message`);
    const message = unframe(frame, this.header?.["grpc-encoding"], maxMessageBytes);
    if (message instanceof Promise)
      message.then((bytes) => this.resolve(this.incoming(bytes))).catch((error) => this.reject(toFerryError(error)));
    else this.resolve(this.incoming(message));
  }

  private incoming(bytes: Uint8Array): Incoming {
    return { message: decodeAnswer(this.out, bytes), header: this.header, trailer: this.trailer };
  }
}

/** @throws FerryError INTERNAL when the bytes are not the message of the contract. */
export function decodeAnswer({ method: { desc, path } }: Outgoing, bytes: Uint8Array): Message {
  try {
    return decode(desc.output, bytes);
  } catch (error) {
    throw broken(`the answer of ${path} is not a ${desc.output.typeName}`, error);
  }
}
