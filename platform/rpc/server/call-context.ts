import type { IncomingHttpHeaders } from "node:http2";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type ContextValues, createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import type { Principal } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { headersOf } from "../metadata.ts";

/** What the server found out about a call before its handler runs. */
export interface CallFacts {
  principal?: Principal;
  idempotencyKey?: string;
  /** How long the caller is willing to wait for the end of what it starts, in milliseconds. */
  waitMs: number;
}

/** Under this key a handler's context values hold the facts, so that a handler can be called in a test without a server. */
export const callFacts = createContextKey<CallFacts>({ waitMs: 0 }, { description: "ferry call facts" });

/** Reason of the abort at a call's normal end. Shared: an abort without a reason builds an exception with a stack. */
const OVER = new FerryError("CANCELED", "the call is over");

/** The HandlerContext of one call. Headers, values and the abort signal are made when they are first asked for. */
export class CallContext implements HandlerContext {
  readonly method: DescMethod;
  readonly requestMethod = "POST";
  readonly protocolName = "grpc";
  readonly facts: CallFacts;
  /** Unix time in milliseconds; Infinity when the call has no deadline. */
  readonly deadlineAtMs: number;
  private readonly headers: IncomingHttpHeaders;
  private controller: AbortController | undefined;
  private abortReason: unknown;
  private heldRequestHeader: Headers | undefined;
  private heldResponseHeader: Headers | undefined;
  private heldResponseTrailer: Headers | undefined;
  private heldValues: ContextValues | undefined;

  constructor(method: DescMethod, headers: IncomingHttpHeaders, facts: CallFacts, deadlineAtMs: number) {
    this.method = method;
    this.headers = headers;
    this.facts = facts;
    this.deadlineAtMs = deadlineAtMs;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get url(): string {
    return `http://${this.headers[":authority"]}/${this.method.parent.typeName}/${this.method.name}`;
  }

  get requestHeader(): Headers {
    this.heldRequestHeader ??= headersOf(this.headers);
    return this.heldRequestHeader;
  }

  get responseHeader(): Headers {
    this.heldResponseHeader ??= new Headers();
    return this.heldResponseHeader;
  }

  get responseTrailer(): Headers {
    this.heldResponseTrailer ??= new Headers();
    return this.heldResponseTrailer;
  }

  /** What the handler wrote, undefined when it never asked for the headers. */
  get writtenHeader(): Headers | undefined {
    return this.heldResponseHeader;
  }

  get writtenTrailer(): Headers | undefined {
    return this.heldResponseTrailer;
  }

  get values(): ContextValues {
    this.heldValues ??= createContextValues().set(callFacts, this.facts);
    return this.heldValues;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.abortReason !== undefined) this.controller.abort(this.abortReason);
    }
    return this.controller.signal;
  }

  readonly timeoutMs = (): number | undefined =>
    this.deadlineAtMs === Infinity ? undefined : this.deadlineAtMs - Date.now();

  /** Tells the handler that nobody waits for it any more. The first reason stays. */
  abort(reason: unknown = OVER): void {
    if (this.abortReason !== undefined) return;
    this.abortReason = reason;
    this.controller?.abort(reason);
  }
}
