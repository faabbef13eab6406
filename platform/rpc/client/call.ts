import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { FerryError } from "@ferry/platform/errors";
import { ACCEPTED_ENCODINGS } from "../frames.ts";
import type { HeaderList } from "../metadata.ts";
import { PeerFailed, toFerryError } from "../status.ts";
import { failureOf } from "./answer.ts";
import type { CallSignal } from "./call-signal.ts";
import type { CalledMethod } from "./method.ts";
import type { Sessions } from "./sessions.ts";

/** What goes out, and until when. */
export interface Outgoing {
  sessions: Sessions;
  method: CalledMethod;
  headers: HeaderList;
  /** Unix time in milliseconds; Infinity for a stream that stays open. */
  deadlineAtMs: number;
  signal: CallSignal | undefined;
  maxMessageBytes: number;
}

/** The peer has not begun the call, and says so: it may be sent again whatever its contract says of retries. */
export class Refused extends FerryError {}

/**
 * The call that a stream belongs to, while it is under way. Node keeps a stream that ended until the old heap is
 * collected, and with it whatever its listeners hold: so these hold nothing, and the call is let go at its end.
 * Collections of the young heap then copy a third less: 3 us of each call.
 */
const CALL = Symbol("call");
type CallStream = ClientHttp2Stream & { [CALL]?: ClientCall | undefined };

/** Timers count in 31 bits; longer deadlines end a call after these 24 days. */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * One call on a session of Node's own HTTP/2, by the gRPC protocol (grpc/doc/PROTOCOL-HTTP2.md).
 *
 * The engine's client costs 45 us of CPU more for each call (filters, metadata, several objects and closures)
 * than these frames do: most of what a hop costs its caller.
 */
export abstract class ClientCall {
  protected readonly out: Outgoing;
  protected stream!: CallStream;
  protected over = false;
  header: IncomingHttpHeaders | undefined;
  trailer: IncomingHttpHeaders | undefined;
  private hasBody = false;
  private session!: ClientHttp2Session;
  private timer: NodeJS.Timeout | undefined;
  private readonly begunMs = performance.now();

  constructor(out: Outgoing) {
    this.out = out;
  }

  /** Sends the headers. What goes wrong is told by `onEnd`. */
  protected open(session: ClientHttp2Session): boolean {
    const { signal, deadlineAtMs } = this.out;
    // A signal that was aborted while the call was on its way here tells its listeners nothing any more.
    if (signal?.aborted === true) {
      this.end(toFerryError(signal.reason));
      return false;
    }
    const remainingMs = deadlineAtMs - Date.now();
    if (remainingMs <= 0) {
      this.end(timedOut());
      return false;
    }
    this.session = session;
    try {
      this.stream = session.request(this.requestHeaders(remainingMs));
    } catch (error) {
      // A session that ended in this moment has sent nothing.
      const ended = session.closed || session.destroyed;
      this.end(ended ? new Refused("UNAVAILABLE", "the connection was lost", { cause: error }) : toFerryError(error));
      return false;
    }
    if (remainingMs !== Infinity)
      this.timer = setTimeout(() => this.cancel(timedOut()), Math.min(remainingMs, LONGEST_TIMER_MS));
    signal?.addEventListener("abort", this.onAbort, { once: true });
    this.listen(this.stream);
    return true;
  }

  /** Ends the call from this side, and tells the peer. */
  cancel(error: FerryError): void {
    if (this.over) return;
    this.end(error);
    this.stream.close(constants.NGHTTP2_CANCEL);
  }

  protected onHeaders(): void {}
  /** @throws FerryError that the call then ends with. */
  protected abstract onData(chunk: Buffer): void;
  /** Called once. */
  protected abstract onEnd(failure: FerryError | undefined): void;

  private requestHeaders(remainingMs: number): HeaderList {
    const { method, headers } = this.out;
    const fixed = [":method", "POST", ":path", method.path, "te", "trailers", "content-type", "application/grpc"];
    fixed.push("grpc-accept-encoding", ACCEPTED_ENCODINGS);
    if (remainingMs !== Infinity) fixed.push("grpc-timeout", timeoutText(remainingMs));
    return fixed.concat(headers);
  }

  private listen(stream: CallStream): void {
    stream[CALL] = this;
    stream.on("response", onResponse);
    stream.on("trailers", onTrailers);
    stream.on("data", onChunk);
    stream.on("error", ignore); // What went wrong is told by the codes at the close.
    stream.on("close", onClose);
  }

  /** For the stream's listeners, as are the next three. */
  takeHeaders(received: IncomingHttpHeaders): void {
    this.header = received;
    this.onHeaders();
  }

  takeTrailers(received: IncomingHttpHeaders): void {
    this.trailer = received;
  }

  takeChunk(chunk: Buffer): void {
    this.hasBody = true;
    try {
      this.onData(chunk);
    } catch (error) {
      this.cancel(toFerryError(error));
    }
  }

  takeClose(): void {
    this.end(this.ending());
  }

  private readonly onAbort = () => this.cancel(toFerryError(this.out.signal?.reason));

  private ending(): FerryError | undefined {
    const { header: headers, trailer: trailers, hasBody, stream, session } = this;
    const resetCode = stream.rstCode ?? 0;
    const failure = failureOf({ headers, hasBody, trailers, resetCode, connectionLost: session.destroyed });
    if (failure === undefined) return undefined;
    if (headers === undefined && stream.rstCode === constants.NGHTTP2_REFUSED_STREAM)
      return new Refused("UNAVAILABLE", failure.message, { cause: failure.cause });
    // A server whose own timer fires first resets the stream, which reads as canceled here.
    return failure.reason === "CANCELED" && Date.now() >= this.out.deadlineAtMs ? timedOut() : failure;
  }

  private end(failure: FerryError | undefined): void {
    this.over = true;
    if (this.stream !== undefined) this.stream[CALL] = undefined;
    clearTimeout(this.timer);
    this.out.signal?.removeEventListener("abort", this.onAbort);
    this.out.method.figures.count(failure === undefined ? "OK" : failure.reason, this.begunMs);
    this.onEnd(failure);
  }
}

/** At most eight digits, by the protocol. */
function timeoutText(remainingMs: number): string {
  const ms = Math.ceil(remainingMs);
  return ms <= 99_999_999 ? `${ms}m` : `${Math.min(99_999_999, Math.ceil(ms / 1_000))}S`;
}

function timedOut(): FerryError {
  return new PeerFailed("DEADLINE_EXCEEDED", "the time for the call is over");
}

function onResponse(this: CallStream, received: IncomingHttpHeaders): void {
  this[CALL]?.takeHeaders(received);
}

function onTrailers(this: CallStream, received: IncomingHttpHeaders): void {
  this[CALL]?.takeTrailers(received);
}

function onChunk(this: CallStream, chunk: Buffer): void {
  this[CALL]?.takeChunk(chunk);
}

function onClose(this: CallStream): void {
  this[CALL]?.takeClose();
}

function ignore(): void {}
