export { type AuthenticatorOptions, createAuthenticator } from "./authenticator.ts";
export {
  type AuthorityChange,
  type AuthorityState,
  createAuthorityState,
  MAX_LISTED,
  type MutableAuthorityState,
  REVOCATION_LIFE_MS,
} from "./authority.ts";
export {
  generateKeyPair,
  type Jwks,
  KeyError,
  parseTrustedServices,
  readPrivateKey,
  readPublicKey,
  toJwks,
  trustedServicesJson,
} from "./keys.ts";
export {
  ACCESS_TOKEN,
  type AccessTokenClaims,
  createServiceIdentity,
  createTokenSigner,
  machineScopesOf,
  type Role,
  SERVICE_ASSERTION,
  scopesOf,
  type TokenSigner,
} from "./tokens.ts";
export type { Authenticator, Principal, ServiceIdentity } from "./types.ts";
export { CLOCK_SKEW_SECONDS } from "./verify.ts";
export { type WatchOptions, watchAuthority } from "./watch.ts";
