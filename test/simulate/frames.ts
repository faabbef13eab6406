/** A message of PostgreSQL's protocol, header included. */
export interface Frame {
  /** The message's type: one letter. */
  type: string;
  bytes: Buffer;
}

/** Cuts a stream of bytes into messages of PostgreSQL's protocol (version 3, without the start-up message). */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  read(chunk: Buffer): Frame[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    let at = 0;
    while (bytes.length - at >= 5) {
      const end = at + 1 + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) break;
      frames.push({ type: String.fromCharCode(bytes[at]!), bytes: bytes.subarray(at, end) });
      at = end;
    }
    this.#rest = bytes.subarray(at);
    return frames;
  }
}

/** A simple query as a message. */
export function queryFrame(text: string): Buffer {
  const body = Buffer.from(`${text}\0`);
  const frame = Buffer.alloc(5 + body.length);
  frame.write("Q");
  frame.writeUInt32BE(4 + body.length, 1);
  body.copy(frame, 5);
  return frame;
}

function textAt(bytes: Buffer, from: number): { text: string; end: number } {
  const end = bytes.indexOf(0, from);
  return { text: bytes.toString("utf8", from, end), end: end + 1 };
}

/** What is asked of PostgreSQL. */
export interface Asked {
  /** So many times it will say that it is ready for more. */
  answers: number;
  /** The statements, in short, for the trace. */
  statements: string[];
  commits: boolean;
}

const shorten = (sql: string) => sql.replaceAll(/\s+/g, " ").trim().slice(0, 48);

/** Reads what a client sends. @param known Texts of the statements that were prepared on this connection, by name. */
export function readAsked(frames: readonly Frame[], known: Map<string, string>): Asked {
  const asked: Asked = { answers: 0, statements: [], commits: false };
  for (const { type, bytes } of frames) {
    if (type === "S" || type === "Q") asked.answers++;
    if (type === "Q") {
      const { text } = textAt(bytes, 5);
      asked.statements.push(shorten(text));
      if (text.startsWith("COMMIT")) asked.commits = true;
    } else if (type === "P") {
      const { text: name, end } = textAt(bytes, 5);
      known.set(name, shorten(textAt(bytes, end).text));
    } else if (type === "B") {
      const { text: name } = textAt(bytes, textAt(bytes, 5).end);
      const text = known.get(name) ?? "?";
      asked.statements.push(text);
      if (text.startsWith("COMMIT")) asked.commits = true;
    }
  }
  return asked;
}
