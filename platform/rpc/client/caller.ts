import { create, type DescMethod, type DescMethodStreaming, type DescMethodUnary, toBinary } from "@bufbuild/protobuf";
import type { ServiceIdentity } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { currentContext } from "@ferry/platform/telemetry";
import type { Metadata } from "@grpc/grpc-js";
import { asBuffer, firstText, type HeadersInput, METADATA, type MessageInit, toMetadata } from "../metadata.ts";
import type { Connection } from "./connection.ts";
import { calledMethod, deadlineOf } from "./method.ts";
import { RetryBudget, withRetries } from "./retry.ts";
import { type IncomingStream, openStream } from "./stream.ts";
import { type Incoming, type Outgoing, sendUnary } from "./unary.ts";

export interface CallSettings {
  headers?: HeadersInput;
  /** Instead of the contract's deadline, in milliseconds. What remains of the caller's own call still bounds it. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

interface CallerOptions {
  connection: Connection;
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
  async unary(desc: DescMethodUnary, message: MessageInit, settings: CallSettings): Promise<Incoming> {
    const out = this.prepare(desc, settings);
    const body = this.encode(desc, message);
    this.budget.earn();
    if (!out.method.policy.retrySafe) return sendUnary(out, body);
    const { deadlineAtMs, signal } = out;
    return withRetries(() => sendUnary(out, body), { budget: this.budget, deadlineAtMs, signal });
  }

  /** Rejects with FerryError. Streams are not tried again: what was read of them cannot be taken back. */
  async stream(
    desc: DescMethodStreaming,
    requests: AsyncIterable<MessageInit>,
    settings: CallSettings,
  ): Promise<IncomingStream> {
    return openStream(this.prepare(desc, settings), requests);
  }

  private prepare(desc: DescMethod, { headers, timeoutMs, signal }: CallSettings): Outgoing {
    const method = calledMethod(desc);
    const metadata = this.metadata(headers);
    const prefer = method.policy.maxWaitMs === 0 ? undefined : firstText(metadata, METADATA.prefer);
    const deadlineAtMs = deadlineOf(method, timeoutMs, prefer);
    return { connection: this.options.connection, method, metadata, deadlineAtMs, signal };
  }

  /** The caller's own headers come before what the channel and the work at hand add. */
  private metadata(headers: HeadersInput): Metadata {
    const metadata = toMetadata(headers);
    const { identity, audience } = this.options;
    if (identity !== undefined && isAbsent(metadata, METADATA.authorization))
      metadata.set(METADATA.authorization, identity.authorizationFor(audience));
    const { requestId, traceparent } = currentContext();
    if (requestId !== undefined && isAbsent(metadata, METADATA.requestId)) metadata.set(METADATA.requestId, requestId);
    if (traceparent !== undefined && isAbsent(metadata, METADATA.traceparent))
      metadata.set(METADATA.traceparent, traceparent);
    return metadata;
  }

  private encode(desc: DescMethodUnary, message: MessageInit): Buffer {
    const body = asBuffer(toBinary(desc.input, create(desc.input, message)));
    const { maxMessageBytes } = this.options;
    if (body.length <= maxMessageBytes) return body;
    throw new FerryError("BODY_TOO_LARGE", `the request of ${body.length} bytes is larger than ${maxMessageBytes}`);
  }
}

function isAbsent(metadata: Metadata, name: string): boolean {
  return metadata.get(name).length === 0;
}
