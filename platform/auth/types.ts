/** Whom a verified token speaks for. */
export interface Principal {
  kind: "member" | "operator" | "service";
  /** Member id of members and operators, name of a service. */
  id: string;
  /** Log-in session, or what stands for one of an API client; absent for services. */
  sessionId?: string;
  /** The API client that acts for the member; absent where the member logged in. */
  clientId?: string;
  scopes: ReadonlySet<string>;
  /** Unix time in seconds. */
  expiresAt: number;
}

/** Verifies what a caller brings. */
export interface Authenticator {
  /**
   * @param authorization The header or metadata "authorization", "Bearer …".
   * @throws FerryError UNAUTHENTICATED, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED.
   */
  authenticate(authorization: string | undefined): Principal;
  /** Whether the member is suspended, by what is known here now. */
  isSuspended(memberId: string): boolean;
}

/** A service's own name, with which it signs what it says to other services. */
export interface ServiceIdentity {
  name: string;
  /** The header "authorization" for a call to a service: an ES256 assertion of one minute, made anew in time. */
  authorizationFor(audience: string): string;
}
