/** What the edge answered: its envelope, opened. */
export interface Answer {
  status: number;
  data: Record<string, unknown>;
}

/** A plain REST client of the edge, for the launcher's first transfer. */
export class EdgeClient {
  readonly #base: string;
  #token = "";

  constructor(base: string) {
    this.#base = base;
  }

  useToken(token: string): void {
    this.#token = token;
  }

  /** @throws Error with the edge's own words when the answer is no success, unless its status is accepted. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    accepted: number[] = [],
  ): Promise<Answer> {
    const response = await fetch(this.#base + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(this.#token === "" ? {} : { authorization: `Bearer ${this.#token}` }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    const parsed = JSON.parse(text) as { data?: Record<string, unknown> };
    if (!response.ok && !accepted.includes(response.status))
      throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return { status: response.status, data: parsed.data ?? {} };
  }
}
