/** One server-sent event. */
export interface ServerEvent {
  /** "message" unless the server names another. */
  type: string;
  data: string;
  /** Of this event or the last before it that had one; empty when none had. */
  lastEventId: string;
}

/** An event larger than this is no event of the API, in characters. */
const MAX_EVENT_LENGTH = 4_194_304;

/**
 * Reads server-sent events (WHATWG HTML, 9.2.6) from a body.
 *
 * @param silenceMs After so long without a byte, a comment included, the connection counts as broken.
 * @throws Error when the connection breaks or stays silent.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  silenceMs: number,
): AsyncGenerator<ServerEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let type = "";
  let data: string[] = [];
  let lastEventId = "";
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), silenceMs);
      if (done) return; // An event that has not ended is not told.
      rest += decoder.decode(value, { stream: true });
      if (rest.length > MAX_EVENT_LENGTH) throw new Error("an event is too large");
      // A carriage return at the end may be half of a line's end.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { type: type === "" ? "message" : type, data: data.join("\n"), lastEventId };
          type = "";
          data = [];
          continue;
        }
        const [, name = "", text = ""] = /^([^:]*)(?::[ ]?(.*))?$/s.exec(line) ?? [];
        if (name === "data") data.push(text);
        else if (name === "event") type = text;
        else if (name === "id" && !text.includes("\0")) lastEventId = text;
      }
    }
  } finally {
    await reader.cancel().catch(() => {}); // It is broken already, or this breaks it.
  }
}

async function within<T>(read: Promise<T>, timeMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`nothing came for ${timeMs} ms`)), timeMs);
  });
  try {
    return await Promise.race([read, late]);
  } finally {
    clearTimeout(timer);
  }
}
