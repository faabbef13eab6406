import { type DescField, type DescMessage, getOption, type Message, ScalarType } from "@bufbuild/protobuf";
import { method as policyOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import type { WriteMessage } from "@ferry/platform/codec";
import type { FerryError } from "@ferry/platform/errors";
import { failureText, type Meta } from "./envelope.ts";
import { toFailure } from "./failures.ts";
import type { Route } from "./transcoding/index.ts";

export const EVENT_STREAM_TYPE = "text/event-stream; charset=utf-8";

/** How the messages of a server-streaming rpc become events, by the option event_stream of its contract. */
export interface EventStreamPlan {
  /** The event's "id:"; undefined when the contract names no field for it. */
  idOf(message: Message): string | undefined;
  /** Puts what the client saw last into its request: the header Last-Event-ID. What is no id is ignored. */
  resume(request: Message, lastEventId: string | undefined): void;
}

/** @throws Error when the option names fields that the messages do not have. */
export function compileEventStream(rpc: Route["rpc"]): EventStreamPlan | undefined {
  const option = getOption(rpc, policyOption).eventStream;
  if (rpc.methodKind === "unary") {
    if (option !== undefined) throw new Error("event_stream is for rpcs that answer a stream");
    return undefined;
  }
  const id = integerField(rpc.output, option?.idField ?? "");
  const after = integerField(rpc.input, option?.afterField ?? "");
  return {
    idOf: (message) => (id === undefined ? undefined : String(fieldsOf(message)[id.localName])),
    resume(request, lastEventId) {
      if (after === undefined || lastEventId === undefined || !/^\d{1,18}$/.test(lastEventId)) return;
      fieldsOf(request)[after.localName] = BigInt(lastEventId);
    },
  };
}

const fieldsOf = (message: Message) => message as unknown as Record<string, unknown>;

function integerField(desc: DescMessage, name: string): DescField | undefined {
  if (name === "") return undefined;
  const field = desc.fields.find((candidate) => candidate.name === name);
  if (field?.fieldKind !== "scalar" || field.scalar !== ScalarType.INT64)
    throw new Error(`event_stream names ${JSON.stringify(name)}, which is no int64 of ${desc.typeName}`);
  return field;
}

/** How one of the forms of a stream writes what happens. An empty text is not sent. */
export interface Framing {
  /** Sent at once, so that the headers go out. */
  opening: string;
  /** Sent whenever nothing has happened for a while. */
  heartbeat: string;
  message(message: Message): string | Uint8Array;
  /** The end of a stream that fails. @throws to cut the connection, where the form has no word for it. */
  failure(error: FerryError): string;
}

export interface PartsOptions {
  /** What was read already, to know that there is something to tell; undefined when it is still awaited. */
  first: Promise<IteratorResult<Message>>;
  rest: AsyncIterator<Message>;
  heartbeatMs: number;
  /** Ends the call behind. */
  cancel(): void;
  /** Before anything is sent. @throws FerryError when the caller may not read on. */
  demandAccess?(): void;
}

/** The parts of a stream's body, in one of its forms, until it ends, fails, or nobody reads it any more. */
export async function* partsOf(framing: Framing, options: PartsOptions): AsyncGenerator<string | Uint8Array> {
  const { first, rest, heartbeatMs, cancel, demandAccess } = options;
  try {
    if (framing.opening !== "") yield framing.opening;
    for (let next = first; ; next = rest.next()) {
      for (let result = await within(next, heartbeatMs); ; result = await within(next, heartbeatMs)) {
        demandAccess?.();
        if (result === "late") {
          if (framing.heartbeat !== "") yield framing.heartbeat;
          continue;
        }
        if (result.done === true) return;
        yield framing.message(result.value);
        break;
      }
    }
  } catch (error) {
    const text = framing.failure(toFailure(error));
    if (text !== "") yield text;
  } finally {
    cancel();
    // Read once more, so that a call that was canceled between two messages hears of it, and lets its deadline go.
    rest.next().catch(() => {});
  }
}

/** Reasons that end a stream without a word: the client comes back by itself, and goes on where it was. */
const COMES_BACK = new Set<FerryError["reason"]>(["DEADLINE_EXCEEDED", "CANCELED", "UNAVAILABLE"]);

/** Server-sent events (WHATWG HTML, 9.2): each message one event; a comment whenever nothing happens. */
export function eventFraming(plan: EventStreamPlan, write: WriteMessage, meta: Meta): Framing {
  return {
    opening: ":\n\n",
    heartbeat: ":\n\n",
    message(message) {
      const id = plan.idOf(message);
      return `${id === undefined ? "" : `id: ${id}\n`}data: ${write(message)}\n\n`;
    },
    failure: (error) => (COMES_BACK.has(error.reason) ? "" : `event: error\ndata: ${failureText(error, meta)}\n\n`),
  };
}

/** What is read within a time, or "late". What is late is read on. */
export async function within<T>(read: Promise<T>, timeMs: number): Promise<T | "late"> {
  const { promise, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(resolve, timeMs, "late");
  try {
    return await Promise.race([read, promise]);
  } finally {
    clearTimeout(timer);
  }
}
