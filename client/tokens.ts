import { FerryApiError } from "./errors.ts";
import type { FerryClient } from "./gen/client.ts";

/** Where the client gets its access tokens from. */
export interface TokenProvider {
  /** The token of the next request; undefined: none, and the API refuses what needs one. */
  accessToken(): string | undefined | Promise<string | undefined>;
  /**
   * Asked when the API says that a token has expired; the call is then made once more.
   * @returns The token to use instead; undefined: there is none, and the call fails.
   */
  refresh?(expired: string, client: FerryClient): Promise<string | undefined>;
}

export interface SessionTokens {
  accessToken: string;
  refreshToken: string;
}

/** The tokens of one log-in, refreshed by themselves. */
export interface Session extends TokenProvider {
  /** Takes the tokens of a log-in. */
  keep(tokens: SessionTokens): void;
  /** Forgets them. */
  clear(): void;
  current(): SessionTokens | undefined;
}

/**
 * Keeps the tokens of a log-in. A refresh token is good once: calls that find their token expired at the same time
 * share one refresh.
 *
 * @param tokens Of an earlier log-in, if any.
 * @param onChange Told of new tokens, to store them; undefined when the session has ended.
 */
export function createSession({
  tokens,
  onChange = () => {},
}: {
  tokens?: SessionTokens;
  onChange?: (tokens: SessionTokens | undefined) => void;
} = {}): Session {
  let current = tokens;
  let refreshing: Promise<string | undefined> | undefined;
  const change = (next: SessionTokens | undefined) => {
    current = next;
    onChange(next);
  };
  const refresh = async (refreshToken: string, client: FerryClient): Promise<string | undefined> => {
    // Who logged out while it was under way, or in anew, has the last word; the call that waits is nobody else's.
    const isCurrent = () => current?.refreshToken === refreshToken;
    try {
      const next = await client.member.refreshSession({ refreshToken });
      if (!isCurrent()) return undefined;
      change({ accessToken: next.accessToken, refreshToken: next.refreshToken });
      return next.accessToken;
    } catch (error) {
      // Refused for good: whoever waits for it logs in anew.
      if (error instanceof FerryApiError && error.status === 401 && isCurrent()) change(undefined);
      throw error;
    }
  };
  return {
    accessToken: () => current?.accessToken,
    async refresh(expired, client) {
      if (refreshing !== undefined) return refreshing;
      if (current === undefined || current.accessToken !== expired) return current?.accessToken; // Done meanwhile.
      refreshing = refresh(current.refreshToken, client).finally(() => {
        refreshing = undefined;
      });
      return refreshing;
    },
    keep: ({ accessToken, refreshToken }) => change({ accessToken, refreshToken }),
    clear: () => change(undefined),
    current: () => current,
  };
}
