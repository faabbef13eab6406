import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import type { Authenticator } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { isSampled, isTraceparent, type Logger, newTraceparent, runInContext } from "@ferry/platform/telemetry";
import { firstText, type HeaderList, headerListOf, METADATA, sizeOf } from "../metadata.ts";
import { toFerryError, toWireStatus } from "../status.ts";
import type { CallWork } from "../work.ts";
import { admit } from "./admission.ts";
import { CallContext, type CallFacts } from "./call-context.ts";
import type { CallListener, IncomingCall } from "./incoming-call.ts";
import type { RpcServerLimits } from "./limits.ts";
import type { ServedMethod } from "./method.ts";

/** What the calls of one server have in common. */
export interface ServerState {
  authenticator: Authenticator;
  logger: Logger;
  limits: RpcServerLimits;
  /** Calls whose handler has not ended yet, health and reflection aside. */
  inFlight: number;
  /** Calls that have no deadline by their contract, which a drain has to end by itself. */
  readonly endless: Set<DrivenCall>;
}

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** One call on the server: decides whether it may come in, runs the handler, and says what is sent and when. */
export class DrivenCall implements CallListener {
  private readonly incoming: IncomingCall;
  private readonly method: ServedMethod;
  private readonly server: ServerState;
  private readonly startedAtMs = Date.now();
  private readonly begunMs = performance.now();
  private context: CallContext | undefined;
  private work: CallWork = {};
  private timer: NodeJS.Timeout | undefined;
  private headersSent = false;
  private over = false;
  private reserved = false;
  private running = false;
  private request: Uint8Array | undefined;
  private readonly queue: Uint8Array[] = [];
  private halfClosed = false;
  private wakeReader: (() => void) | undefined;
  private wakeWriter: (() => void) | undefined;

  constructor(incoming: IncomingCall, method: ServedMethod, server: ServerState) {
    this.incoming = incoming;
    this.method = method;
    this.server = server;
  }

  start(): void {
    this.incoming.start(this);
    try {
      this.open(this.incoming.headers);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.method.streamsIn) this.run((context) => this.answerMany(this.requests(context), context));
    else this.incoming.startRead();
  }

  onReceiveMessage(bytes: Uint8Array): void {
    if (this.method.streamsIn) {
      this.queue.push(bytes);
      this.wake();
    } else if (this.request === undefined) {
      this.request = bytes;
      this.incoming.startRead();
    } else this.fail(new FerryError("UNIMPLEMENTED", "the rpc takes one message, more came"));
  }

  onReceiveHalfClose(): void {
    this.halfClosed = true;
    const { request, method } = this;
    if (method.streamsIn) this.wake();
    else if (this.over) return;
    else if (request === undefined) this.fail(new FerryError("UNIMPLEMENTED", "the rpc takes one message, none came"));
    else if (method.streamsOut) this.run((context) => this.answerMany(this.single(request), context));
    else this.run((context) => this.answerOne(request, context));
  }

  onBroken(error: FerryError): void {
    this.fail(error);
  }

  onClose(): void {
    if (!this.over) {
      const late = Date.now() >= (this.context?.deadlineAtMs ?? Infinity) - 1;
      this.end(late ? timedOut() : new FerryError("CANCELED", "the caller canceled the call"));
    }
    this.wake();
  }

  /** Ends the call with an error. When it is over already, what nobody expected is still written to the log. */
  fail(thrown: unknown): void {
    const error = toFerryError(thrown);
    this.log(error);
    if (this.over) return;
    let trailers: HeaderList = [];
    try {
      trailers = headerListOf(this.context?.writtenTrailer);
      if (this.context?.writtenHeader !== undefined) this.sendHeaders();
    } catch {
      // Headers that cannot be sent must not hide why the call failed.
    }
    this.incoming.fail(toWireStatus(error), trailers);
    this.end(error);
    this.wake();
  }

  private open(headers: IncomingHttpHeaders): void {
    const { method, server } = this;
    if (sizeOf(headers) > server.limits.maxMetadataBytes)
      throw new FerryError("HEADERS_TOO_LARGE", `the metadata is larger than ${server.limits.maxMetadataBytes} bytes`);
    const [requestId, traceparent] = [firstText(headers, METADATA.requestId), firstText(headers, METADATA.traceparent)];
    this.work = {
      requestId: requestId !== undefined && REQUEST_ID.test(requestId) ? requestId : randomUUID(),
      traceparent: isTraceparent(traceparent) ? traceparent : newTraceparent(),
    };
    this.reserve();
    const facts = admit(method.policy, headers, server.authenticator);
    const deadlineAtMs = this.armDeadline(facts);
    this.context = new CallContext(method.spec.method, headers, facts, deadlineAtMs);
    if (method.policy.deadlineMs === 0) server.endless.add(this);
    if (deadlineAtMs !== Infinity) this.work.deadlineAtMs = deadlineAtMs;
  }

  /** The caller's deadline where it has a sensible one, else the contract's. */
  private armDeadline({ waitMs }: CallFacts): number {
    const { deadlineMs, maxWaitMs } = this.method.policy;
    const askedAtMs = this.incoming.deadlineAtMs(this.startedAtMs);
    if (askedAtMs <= this.startedAtMs) throw timedOut();
    const allowedMs = askedAtMs === Infinity ? deadlineMs + waitMs : deadlineMs + maxWaitMs;
    const deadlineAtMs = deadlineMs === 0 ? askedAtMs : Math.min(askedAtMs, this.startedAtMs + allowedMs);
    if (deadlineAtMs !== Infinity)
      this.timer = setTimeout(() => this.fail(timedOut()), deadlineAtMs - this.startedAtMs);
    return deadlineAtMs;
  }

  private run(answer: (context: CallContext) => Promise<void>): void {
    const { context } = this;
    if (context === undefined) return;
    this.running = true;
    void runInContext(this.work, () => answer(context))
      .catch((error) => this.fail(error))
      .finally(() => this.release());
  }

  /** Takes a place among the calls in flight, until the handler has ended, however long after its caller has gone. */
  private reserve(): void {
    if (isInfrastructure(this.method)) return;
    const { limits, inFlight } = this.server;
    if (inFlight >= limits.maxInFlight)
      throw new FerryError("OVERLOADED", "too many calls at once", { retryAfterMs: 1_000 });
    this.server.inFlight++;
    this.reserved = true;
  }

  private release(): void {
    if (this.reserved) this.server.inFlight--;
    this.reserved = false;
  }

  private async answerOne(bytes: Uint8Array, context: CallContext): Promise<void> {
    const { method } = this;
    const answer = method.encode(await method.answerOne(method.decode(bytes), context));
    if (this.over) return;
    this.sendHeaders();
    this.succeed(answer);
  }

  private async answerMany(requests: AsyncIterable<Message>, context: CallContext): Promise<void> {
    for await (const message of this.method.answerMany(requests, context)) {
      if (this.over) return;
      const answer = this.method.encode(message);
      this.sendHeaders();
      // Resolves when flow control has taken the frame, or when the call is over.
      await new Promise<void>((resolve) => {
        this.wakeWriter = resolve;
        this.incoming.sendMessage(answer, resolve);
      });
    }
    if (this.over) return;
    this.sendHeaders();
    this.succeed();
  }

  private async *single(bytes: Uint8Array): AsyncIterable<Message> {
    yield this.method.decode(bytes);
  }

  /** One message is asked for at a time, so that a handler that is slower than its caller slows the caller down. */
  private async *requests(context: CallContext): AsyncIterable<Message> {
    for (;;) {
      if (this.queue.length === 0 && !this.halfClosed && !this.over)
        await new Promise<void>((resolve) => {
          this.wakeReader = resolve;
          this.incoming.startRead();
        });
      const bytes = this.queue.shift();
      if (bytes !== undefined) yield this.method.decode(bytes);
      else if (this.over) throw toFerryError(context.signal.reason);
      else if (this.halfClosed) return;
    }
  }

  private wake(): void {
    const { wakeReader, wakeWriter } = this;
    this.wakeReader = undefined;
    if (this.over) this.wakeWriter = undefined;
    wakeReader?.();
    if (this.over) wakeWriter?.();
  }

  private sendHeaders(): void {
    if (this.headersSent) return;
    this.headersSent = true;
    this.incoming.sendHeaders(headerListOf(this.context?.writtenHeader));
  }

  private succeed(last?: Uint8Array): void {
    this.incoming.succeed(headerListOf(this.context?.writtenTrailer), last);
    this.end(undefined);
  }

  private end(error: FerryError | undefined): void {
    this.over = true;
    if (!this.running) this.release();
    clearTimeout(this.timer);
    this.server.endless.delete(this);
    this.context?.abort(error);
    const code = error === undefined ? "OK" : error.reason;
    this.method.figures.count(code, this.begunMs);
    const { traceparent } = this.work;
    if (!isSampled(traceparent)) return;
    this.server.logger.hop("grpc", this.method.path, this.startedAtMs, { code, traceparent });
  }

  /** What a caller must not see is written here, once, with the request id by which it can be found. */
  private log(error: FerryError): void {
    const ours = error.reason === "INTERNAL" || (error.reason === "UNAVAILABLE" && error.cause !== undefined);
    if (!ours) return;
    const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : String(error.cause ?? "");
    runInContext(this.work, () =>
      this.server.logger.error(
        { rpc: this.method.path, reason: error.reason, error: error.message, cause },
        "call failed",
      ),
    );
  }
}

function timedOut(): FerryError {
  return new FerryError("DEADLINE_EXCEEDED", "the time for the call is over");
}

/** Health and reflection must answer when everything else is refused. */
function isInfrastructure({ path }: ServedMethod): boolean {
  return path.startsWith("/grpc.");
}
