import type { DescMethod, DescMethodStreaming, DescMethodUnary } from "@bufbuild/protobuf";
import type { ServiceIdentity } from "@ferry/platform/auth";
import { create, encode } from "@ferry/platform/codec";
import { FerryError } from "@ferry/platform/errors";
import { currentContext } from "@ferry/platform/telemetry";
import type { Upstream } from "@ferry/platform/upstream";
import { frameOf } from "../frames.ts";
import { addHeaders, findHeader, type HeaderList, type HeadersInput, METADATA, type MessageInit } from "../metadata.ts";
import type { Outgoing } from "./call.ts";
import type { CallSignal } from "./call-signal.ts";
import { calledMethod, deadlineOf } from "./method.ts";
import { RetryBudget, withRetries } from "./retry.ts";
import type { Sessions } from "./sessions.ts";
import { type IncomingStream, openStream } from "./stream.ts";
import { type Incoming, sendUnary } from "./unary.ts";

export interface CallSettings {
  headers?: HeadersInput;
  /** Instead of the contract's deadline, in milliseconds. What remains of the caller's own call still bounds it. */
  timeoutMs?: number;
  signal?: CallSignal | undefined;
}

interface CallerOptions {
  sessions: Sessions;
  upstream: Upstream;
  audience: string;
  identity: ServiceIdentity | undefined;
  maxMessageBytes: number;
}

/** Makes calls on one channel by the rules of their contracts: deadline, retries, credentials, trace. */
export class Caller {
  private readonly options: CallerOptions;
  private readonly budget = new RetryBudget();

  constructor(options: CallerOptions) {
    this.options = options;
  }

  /** Rejects with FerryError. */
  unary(desc: DescMethodUnary, message: MessageInit, settings: CallSettings): Promise<Incoming> {
    // By hand, not by "async": a promise less on the way of every call.
    let out: Outgoing;
    let frame: Buffer;
    try {
      out = this.prepare(desc, settings);
      frame = this.encode(desc, message);
    } catch (error) {
      return Promise.reject(error);
    }
    this.budget.earn();
    const attempt = () => this.options.upstream.run(() => sendUnary(out, frame));
    if (!out.method.policy.retrySafe) return attempt();
    const { deadlineAtMs, signal } = out;
    return withRetries(attempt, { budget: this.budget, deadlineAtMs, signal });
  }

  /** Rejects with FerryError. Streams are not tried again: what was read of them cannot be taken back. */
  async stream(
    desc: DescMethodStreaming,
    requests: AsyncIterable<MessageInit>,
    settings: CallSettings,
  ): Promise<IncomingStream> {
    return openStream(this.prepare(desc, settings), requests);
  }

  private prepare(desc: DescMethod, { headers: given, timeoutMs, signal }: CallSettings): Outgoing {
    const { sessions, maxMessageBytes } = this.options;
    const method = calledMethod(desc);
    const headers = this.headers(given);
    const prefer = method.policy.maxWaitMs === 0 ? undefined : findHeader(headers, METADATA.prefer);
    return { sessions, method, headers, deadlineAtMs: deadlineOf(method, timeoutMs, prefer), signal, maxMessageBytes };
  }

  /** The caller's own headers come before what the channel and the work at hand add. */
  private headers(given: HeadersInput): HeaderList {
    const headers: HeaderList = [];
    addHeaders(headers, given);
    const { identity, audience } = this.options;
    if (identity !== undefined && findHeader(headers, METADATA.authorization) === undefined)
      headers.push(METADATA.authorization, identity.authorizationFor(audience));
    const { requestId, traceparent } = currentContext();
    if (requestId !== undefined && findHeader(headers, METADATA.requestId) === undefined)
      headers.push(METADATA.requestId, requestId);
    if (traceparent !== undefined && findHeader(headers, METADATA.traceparent) === undefined)
      headers.push(METADATA.traceparent, traceparent);
    return headers;
  }

  private encode(desc: DescMethodUnary, message: MessageInit): Buffer {
    const bytes = encode(desc.input, create(desc.input, message));
    const { maxMessageBytes } = this.options;
    if (bytes.length <= maxMessageBytes) return frameOf(bytes);
    throw new FerryError("BODY_TOO_LARGE", `the request of ${bytes.length} bytes is larger than ${maxMessageBytes}`);
  }
}
