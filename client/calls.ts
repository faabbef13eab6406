/** What a call may say beside its request. */
export interface CallOptions {
  /** Ends the call, and the waits between its attempts. */
  signal?: AbortSignal;
  /** Time for each attempt, in milliseconds. Default: the contract's deadline, what the call waits for, and a second. */
  timeoutMs?: number;
  /** How often the call is made again after a failure that may pass. Default: the client's. */
  maxRetries?: number;
  /** Headers beside those that the client sets, as "x-request-id" or "traceparent". */
  headers?: Record<string, string>;
}

/** Of rpcs that want an idempotency key. */
export interface WithKey {
  /** Names the request: sent again with the same key, it has no second effect. Default: a new UUID, the same for all attempts. */
  idempotencyKey?: string;
}

/** Of rpcs that can wait for an end. */
export interface WithWait {
  /** How long the answer may wait for the end of what was asked for, in whole seconds. Default 0. */
  waitSeconds?: number;
}

/** Of rpcs that take bodies of other content types than JSON. The request's other fields go into the query. */
export interface WithRawBody<ContentType extends string> {
  rawBody?: { contentType: ContentType; body: string | Uint8Array<ArrayBuffer> | Blob };
}

type Arguments<Request, Options> =
  Record<never, never> extends Request ? [request?: Request, options?: Options] : [request: Request, options?: Options];

/** An rpc that gives one answer. Rejects with FerryApiError, and with the signal's reason when that ended it. */
export type Call<Request, Answer, Options = CallOptions> = (...given: Arguments<Request, Options>) => Promise<Answer>;

/** An rpc that gives a list page by page. Its limits are the list's end, and whoever stops reading. */
export interface PagedCall<Request, Answer, Item> {
  /** One page. */
  (...given: Arguments<Request, CallOptions>): Promise<Answer>;
  /** Every page from the request's on; the next is asked for when it is wanted. */
  pages(...given: Arguments<Request, CallOptions>): AsyncGenerator<Answer, void, undefined>;
  /** Every item of every page. */
  items(...given: Arguments<Request, CallOptions>): AsyncGenerator<Item, void, undefined>;
}

export interface StreamOptions {
  /** Ends the stream. */
  signal?: AbortSignal;
  /** The id of the event that was seen last: the stream goes on after it. */
  lastEventId?: string;
  /** How often in a row, without an event in between, a broken connection is made again. Default: the client's. */
  maxRetries?: number;
  headers?: Record<string, string>;
}

/**
 * An rpc that answers a stream. A connection that breaks is made again, and the stream goes on after the last event,
 * where the contract gives events an id. Throws FerryApiError while it is read.
 */
export type StreamCall<Request, Message> = (
  ...given: Arguments<Request, StreamOptions>
) => AsyncGenerator<Message, void, undefined>;

/** An answer that is no JSON. */
export interface RawAnswer {
  contentType: string;
  body: Uint8Array<ArrayBuffer>;
}

/** A 64-bit integer in a request: decimal digits, or a bigint. Never a number, which is not exact above 2^53. */
export type Int64Input = string | bigint;
/** A point in time in a request: RFC 3339, or a Date. */
export type TimeInput = string | Date;
export type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue };

/** What the client knows of one rpc; generated from its contract. */
export interface RpcPlan {
  httpMethod: string;
  /** By JSON names: "{id}" is one segment, "{+name}" may have several. */
  path: string;
  /** "*": all fields but those of the path; the JSON name of a field; "": none, and the query says the rest. */
  body: string;
  /** Whether a token goes along. */
  withToken: boolean;
  deadlineMs: number;
  /** Whether sending it twice has the effect of sending it once. */
  retrySafe: boolean;
  keyRequired?: boolean;
  /** The JSON name of the field with a page's items. */
  items?: string;
  /** Of rpcs that answer a stream: whether their events have ids to go on after. */
  stream?: { resumable: boolean };
  /** The answer is no JSON. */
  rawAnswer?: boolean;
}

/** By service, then by rpc. */
export type ServicePlans = Record<string, Record<string, RpcPlan>>;
