import type { Message } from "@bufbuild/protobuf";
import { contentTypeOf } from "./content.ts";
import { failureText, type Meta } from "./envelope.ts";
import { EVENT_STREAM_TYPE, eventFraming, type Framing } from "./event-stream.ts";
import type { EdgePlan } from "./routes.ts";

export const LINES_TYPE = "application/x-ndjson";

/** What was read of a stream before its headers go out; "late" when nothing came in time. */
export type Beginning = IteratorResult<Message> | "late";

/** The form in which a stream is answered. */
export interface StreamForm {
  /** Content type where no message is needed to know it. */
  type: string;
  /** So long the headers wait for the first message, so that what goes wrong at once has a status of its own. */
  firstMessageMs: number;
  /** The status of a stream that ends without a message. */
  emptyStatus: 200 | 204;
  /** Undefined when the first message would tell it, and has not come in time. */
  typeOf(beginning: Beginning): string | undefined;
  framing(beginning: Beginning, meta: Meta): Framing;
}

const FIRST_MESSAGE_MS = 1_000;
/** Content says its type with its first part: without it there are no headers. */
const FIRST_CONTENT_MS = 15_000;

/**
 * Chooses the form of an rpc's stream: of google.api.HttpBody the content as it comes; else one line of JSON for
 * each message where the client asks for application/x-ndjson, and server-sent events in all other cases.
 */
export function streamFormOf(plan: EdgePlan, accept: string | undefined): StreamForm {
  if (plan.route.answerForm === "any") return contentForm(plan);
  return accept !== undefined && prefersLines(accept) ? linesForm(plan) : eventsForm(plan);
}

function eventsForm({ events, write }: EdgePlan): StreamForm {
  return {
    type: EVENT_STREAM_TYPE,
    firstMessageMs: FIRST_MESSAGE_MS,
    emptyStatus: 204, // A client that would come back for ever is told to stop (WHATWG HTML, 9.2.3).
    typeOf: () => EVENT_STREAM_TYPE,
    framing: (_beginning, meta) => eventFraming(events!, write, meta),
  };
}

/**
 * Newline-delimited JSON: `{"data": …}` for each message, and as the last line of a stream that failed the envelope's
 * `{"error": …, "meta": …}`. A line without text is a sign of life, and says nothing.
 */
function linesForm({ write }: EdgePlan): StreamForm {
  return {
    type: LINES_TYPE,
    firstMessageMs: FIRST_MESSAGE_MS,
    emptyStatus: 200,
    typeOf: () => LINES_TYPE,
    framing: (beginning, meta) => ({
      opening: beginning === "late" ? "\n" : "",
      heartbeat: "\n",
      message: (message) => `{"data":${write(message)}}\n`,
      failure: (error) => `${failureText(error, meta)}\n`,
    }),
  };
}

/** Parts of one content, its type told by the first. A stream that fails is cut: the client sees that it has no end. */
function contentForm({ route }: EdgePlan): StreamForm {
  return {
    type: contentTypeOf({ contentType: "" }),
    firstMessageMs: FIRST_CONTENT_MS,
    emptyStatus: 200,
    typeOf(beginning) {
      if (beginning === "late") return undefined;
      return contentTypeOf(beginning.done === true ? { contentType: "" } : route.httpBodyOf(beginning.value));
    },
    framing: () => ({
      opening: "",
      heartbeat: "",
      message: (message) => route.httpBodyOf(message).data,
      failure(error) {
        throw error;
      },
    }),
  };
}

/** Whether a header Accept names lines, and not events before them (RFC 9110, 12.5.1). */
function prefersLines(accept: string): boolean {
  const weights = new Map<string, number>();
  for (const range of accept.toLowerCase().split(",")) {
    const [name = "", ...parameters] = range.split(";").map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
    weights.set(name, weight === undefined ? 1 : Number(weight) || 0);
  }
  const lines = weights.get(LINES_TYPE) ?? 0;
  return lines > 0 && lines > (weights.get("text/event-stream") ?? 0);
}
