import type { Role } from "../domain/member.ts";

/** Signs access tokens under the key that signs now. @throws FerryError UNAVAILABLE when there is none. */
export interface AccessTokens {
  sign(claims: {
    memberId: string;
    sessionId: string;
    role: Role;
    /** The API client that acts for the member, and what it may do. */
    client?: { id: string; scopes: readonly string[] };
  }): string;
}

/** Makes refresh tokens, of which only hashes are stored. */
export interface RefreshTokens {
  make(sessionId: string): { token: string; hash: Buffer };
  /** Undefined when the text cannot be one. */
  hashOf(token: string): Buffer | undefined;
}

/** What a log-in gives. */
export interface Tokens {
  accessToken: string;
  refreshToken: string;
}
