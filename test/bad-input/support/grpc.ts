import {
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { TestContext } from "node:test";

export const CODES = {
  ...{ OK: 0, CANCELED: 1, INVALID_ARGUMENT: 3, DEADLINE_EXCEEDED: 4, PERMISSION_DENIED: 7, RESOURCE_EXHAUSTED: 8 },
  ...{ UNIMPLEMENTED: 12, INTERNAL: 13, UNAUTHENTICATED: 16 },
} as const;

/** A message with gRPC's five bytes before it, whatever they say. */
export function framed(body: Uint8Array, { flag = 0, length = body.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, body]);
}

export interface Exchange {
  stream: ClientHttp2Stream;
  /** The status when the stream is closed; undefined where none came. */
  ended: Promise<number | undefined>;
}

/** One connection to a gRPC server, for what no well-behaved client sends. It is closed at the test's end. */
export function openConnection(context: TestContext, port: number) {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {}); // A server may close the connection of who misbehaves.
  context.after(() => session.destroy());
  const open = (path: string, headers: OutgoingHttpHeaders = {}): Exchange => {
    const stream = session.request({
      ...{ ":method": "POST", ":path": path, te: "trailers", "content-type": "application/grpc" },
      ...headers,
    });
    const answer: IncomingHttpHeaders = {};
    stream.on("response", (received) => Object.assign(answer, received));
    stream.on("trailers", (received) => Object.assign(answer, received));
    stream.on("error", () => {});
    stream.resume();
    const ended = new Promise<number | undefined>((resolve) =>
      stream.on("close", () =>
        resolve(answer["grpc-status"] === undefined ? undefined : Number(answer["grpc-status"])),
      ),
    );
    return { stream, ended };
  };
  return {
    session,
    open,
    /** Sends a whole request. */
    async send(path: string, headers: OutgoingHttpHeaders, bytes: Uint8Array): Promise<number | undefined> {
      const { stream, ended } = open(path, headers);
      stream.end(bytes);
      return ended;
    },
  };
}

/** Ends a stream as who does not want its answer any more. */
export const reset = ({ stream }: Exchange) => stream.close(constants.NGHTTP2_CANCEL);
