import type { HttpClient } from "./http.ts";
import type { Member } from "./protocol.ts";

/** Access tokens live ten minutes (design, section 4): each is renewed well before. */
const RENEW_EVERY_MS = 6 * 60_000;

/**
 * The members' tokens, renewed one after the other all the time, so that a long run stays logged in
 * without a burst.
 */
export class Tokens {
  readonly #members: Member[];
  readonly #authorization: string[];
  readonly #http: HttpClient;
  readonly #failed: (what: string, example: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #next = 0;

  /** @param failed told when a token could not be renewed. */
  constructor(members: readonly Member[], http: HttpClient, failed: (what: string, example: string) => void) {
    this.#members = members.map((member) => ({ ...member }));
    this.#authorization = members.map(({ accessToken }) => `Bearer ${accessToken}`);
    this.#http = http;
    this.#failed = failed;
  }

  /** The value of the header `authorization`. */
  of(member: number): string {
    return this.#authorization[member]!;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#renewNext(), RENEW_EVERY_MS / this.#members.length);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #renewNext(): Promise<void> {
    const index = this.#next++ % this.#members.length;
    const member = this.#members[index]!;
    try {
      const { status, body } = await this.#http.send({
        method: "POST",
        path: "/v1/sessions:refresh",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ refreshToken: member.refreshToken }),
      });
      if (status === 429 || status === 503) {
        this.#next = index; // The edge has too much to do: the same one again next time, long before its token ends.
        return;
      }
      if (status >= 300) throw new Error(`${status} ${body}`);
      const { accessToken, refreshToken } = (JSON.parse(body) as { data: Member }).data;
      this.#members[index] = { accessToken, refreshToken };
      this.#authorization[index] = `Bearer ${accessToken}`;
    } catch (error) {
      this.#failed("a token could not be renewed", String(error));
    }
  }
}
