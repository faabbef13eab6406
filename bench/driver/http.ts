import { Pool as HttpPool } from "undici";

export interface HttpRequest {
  method: "GET" | "POST";
  path: string;
  headers: Record<string, string>;
  body?: string;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

export interface HttpClient {
  /** @throws when the connection breaks, or nothing comes for a minute. */
  send(request: HttpRequest): Promise<HttpAnswer>;
  close(): Promise<void>;
}

const TIMEOUT_MS = 60_000;

/**
 * A client of HTTP/1.1 with one request at a time on each connection. It stands on undici's handlers
 * instead of its promises and streams, since the driver shares the machine with what it measures.
 *
 * @param connections the most that are open at once.
 */
export function createHttpClient(origin: string, connections: number): HttpClient {
  const pool = new HttpPool(origin, {
    connections,
    pipelining: 1,
    keepAliveTimeout: TIMEOUT_MS,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });

  function send({ method, path, headers, body }: HttpRequest): Promise<HttpAnswer> {
    return new Promise((done, fail) => {
      let status = 0;
      let received: HttpAnswer["headers"] = {};
      let first: Buffer | undefined;
      let more: Buffer[] | undefined;
      pool.dispatch(
        { method, path, headers, body: body ?? null },
        {
          onRequestStart() {},
          onResponseStart(_controller, code, answered) {
            status = code;
            received = answered;
          },
          onResponseData(_controller, chunk) {
            if (first === undefined) first = chunk;
            else {
              more ??= [first];
              more.push(chunk);
            }
          },
          onResponseEnd() {
            const bytes = more === undefined ? first : Buffer.concat(more);
            done({ status, headers: received, body: bytes?.toString("utf8") ?? "" });
          },
          onResponseError(_controller, error) {
            fail(error);
          },
        },
      );
    });
  }

  return { send, close: () => pool.destroy() };
}
