// Made by `npm run generate` from the contracts; do not edit.
import type { Call, CallOptions, PagedCall, WithRawBody } from "../calls.ts";

export interface ApiClient {
  /** UUID; the client_id of a request for a token. */
  id: string;
  displayName: string;
  /** In alphabetical order. */
  scopes: string[];
  createTime?: string;
  /** When it got a token last, to within a minute; absent when it never did. */
  lastUseTime?: string;
}

/**
 * A machine acts for the member who made its client: what it opens is the member's, what it sees is what the
 * member sees. Its tokens have the client's scopes and no others. Only somebody who logged in makes, changes and
 * takes away clients: no client has the scopes for it.
 */
export interface ApiClientCalls {
  /**
   * Makes a client of the caller's. The answer shows its secret; it is shown this once. Errors: INVALID_REQUEST (a
   * scope that the caller has not, or that machines never get), API_CLIENT_LIMIT.
   *
   * `POST /v1/api-clients`
   */
  createApiClient: Call<CreateApiClientRequest, CreateApiClientResponse>;
  /**
   * Lists the caller's clients, oldest first; there are few, so all of them.
   *
   * `GET /v1/api-clients`
   */
  listApiClients: Call<ListApiClientsRequest, ListApiClientsResponse>;
  /**
   * Tells one client of the caller's. Errors: NOT_FOUND, for another's too.
   *
   * `GET /v1/api-clients/{api_client_id}`
   */
  getApiClient: Call<GetApiClientRequest, GetApiClientResponse>;
  /**
   * Gives a client a new secret, shown this once. The former secret and the tokens that it gave end at once; to
   * change over without a gap, make a second client first. Errors: NOT_FOUND.
   *
   * `POST /v1/api-clients/{api_client_id}:rotate-secret`
   */
  rotateApiClientSecret: Call<RotateApiClientSecretRequest, RotateApiClientSecretResponse>;
  /**
   * Takes a client away: its secret and its tokens are refused from now on, by every service. Errors: NOT_FOUND.
   *
   * `DELETE /v1/api-clients/{api_client_id}`
   */
  deleteApiClient: Call<DeleteApiClientRequest, DeleteApiClientResponse>;
  /**
   * Gives a machine an access token for its client's id and secret (RFC 6749, section 4.4), as JSON or as a form.
   * There is no refresh token: ask again before it expires. Errors: CREDENTIALS_INVALID (unknown client and wrong
   * secret are told apart to nobody), MEMBER_SUSPENDED, RATE_LIMITED, INVALID_REQUEST (another grant, a scope that
   * the client has not).
   *
   * `POST /v1/tokens`
   */
  createToken: Call<CreateTokenRequest, CreateTokenResponse, CallOptions & WithRawBody<"application/x-www-form-urlencoded">>;
}

export type AuditKind =
  | "AUDIT_KIND_UNSPECIFIED"
  /** Somebody gave a member's email and a password. */
  | "AUDIT_KIND_LOG_IN"
  /** A refresh token came a second time; its session was ended. */
  | "AUDIT_KIND_REFRESH_TOKEN_REUSED"
  /** A member ended one session: log-out, or another one of theirs. */
  | "AUDIT_KIND_SESSION_ENDED"
  /** A member ended all sessions but one. */
  | "AUDIT_KIND_OTHER_SESSIONS_ENDED"
  /** An operator suspended a member. */
  | "AUDIT_KIND_MEMBER_SUSPENDED"
  /** An operator lifted a suspension. */
  | "AUDIT_KIND_MEMBER_REINSTATED"
  /** Somebody was made an operator, by a command on the server. */
  | "AUDIT_KIND_OPERATOR_MADE"
  | "AUDIT_KIND_API_CLIENT_CREATED"
  | "AUDIT_KIND_API_CLIENT_SECRET_ROTATED"
  | "AUDIT_KIND_API_CLIENT_DELETED"
  /**
   * A machine asked for a token with a wrong secret. Those that got one are not listed: the client's last_use_time
   * tells.
   */
  | "AUDIT_KIND_API_CLIENT_REFUSED";

export interface AuditLogEntry {
  /** UUID, in order of time. */
  id: string;
  kind: AuditKind;
  time?: string;
  /** Whom it was done to. */
  memberId: string;
  /** Who did it; empty where nobody had proven who they are. */
  actorId: string;
  /** The session that it was done in, or that was opened or ended by it; empty when there is none. */
  sessionId: string;
  /** The client that it was done by, or to; empty when there is none. */
  apiClientId: string;
  /**
   * Address that it came from, as the edge saw it; within a session the address that the session was used from
   * last. Empty when it is not known.
   */
  address: string;
  /** What the client said it is (User-Agent). */
  userAgent: string;
  /** "OK", or the reason why it was refused, as "CREDENTIALS_INVALID". */
  outcome: string;
  /** What the operator gave as reason; empty where none is asked for. */
  reason: string;
}

export interface AuditLogCalls {
  /**
   * Lists entries, newest first. Entries are only ever added; they are kept 400 days. Errors: PAGE_TOKEN_INVALID.
   *
   * `GET /v1/audit-log`
   */
  listAuditLogEntries: PagedCall<ListAuditLogEntriesRequest, ListAuditLogEntriesResponse, ListAuditLogEntriesResponse["entries"][number]>;
}

export interface CreateApiClientRequest {
  /** 1 to 100 characters, for the caller's own use. */
  displayName: string;
  /** What it may do, as "transfers:write": each one that the caller has. */
  scopes?: readonly string[];
}

export interface CreateApiClientResponse {
  apiClient: ApiClient;
  /** "ferry_cs_" and 32 random bytes in base64url. */
  clientSecret: string;
}

export interface CreateMemberRequest {
  email: string;
  /** 8 to 128 characters. */
  password: string;
  /** 1 to 100 characters. */
  displayName: string;
}

export interface CreateMemberResponse {
  member: Member;
}

export interface CreateSessionRequest {
  email: string;
  password: string;
}

export interface CreateSessionResponse {
  /** JWT, ES256, to be sent as "authorization: Bearer …". */
  accessToken: string;
  refreshToken: string;
  /** Always "Bearer". */
  tokenType: string;
  /** Life of the access token, in seconds. */
  expiresIn: number;
}

export interface CreateTokenRequest {
  /** "client_credentials". */
  grantType?: string;
  /** UUID of the client. */
  clientId?: string;
  clientSecret?: string;
  /** Scopes for this token, separated by spaces, each one of the client's; empty: all of them. */
  scope?: string;
  /**
   * The same four as a form, names in snake case: a body of application/x-www-form-urlencoded. Then the other
   * fields are empty: secrets do not belong into a query.
   */
  form?: string;
}

export interface CreateTokenResponse {
  /** JWT, ES256, to be sent as "authorization: Bearer …". */
  accessToken: string;
  /** Always "Bearer". */
  tokenType: string;
  /** Life of the access token, in seconds. */
  expiresIn: number;
  /** The token's scopes, separated by spaces. */
  scope: string;
}

export interface DeleteApiClientRequest {
  apiClientId: string;
}

export interface DeleteApiClientResponse {
}

export interface DeleteSessionRequest {
  /** UUID, or "current". */
  sessionId: string;
}

export interface DeleteSessionResponse {
}

export interface GetApiClientRequest {
  apiClientId: string;
}

export interface GetApiClientResponse {
  apiClient: ApiClient;
}

export interface GetCurrentMemberRequest {
}

export interface GetCurrentMemberResponse {
  member: Member;
}

export interface ListApiClientsRequest {
}

export interface ListApiClientsResponse {
  apiClients: ApiClient[];
}

export interface ListAuditLogEntriesRequest {
  /** Only what was done to this member. UUID; empty: all. */
  memberId: string;
  /** Only entries of this kind; unspecified: all. */
  kind?: AuditKind;
  /** 1 to 200; 0 means 50. */
  pageSize?: number;
  pageToken?: string;
}

export interface ListAuditLogEntriesResponse {
  entries: AuditLogEntry[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface ListSessionsRequest {
  /** 1 to 200; 0 means 50. */
  pageSize?: number;
  pageToken?: string;
}

export interface ListSessionsResponse {
  sessions: Session[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface Member {
  /** UUID. */
  id: string;
  email: string;
  displayName: string;
  state: MemberState;
  createTime?: string;
}

export interface MemberCalls {
  /**
   * Signs a person up. Errors: EMAIL_TAKEN, INVALID_REQUEST.
   *
   * `POST /v1/members`
   */
  createMember: Call<CreateMemberRequest, CreateMemberResponse>;
  /**
   * Tells who the caller is. Errors: UNAUTHENTICATED, MEMBER_SUSPENDED.
   *
   * `GET /v1/members/me`
   */
  getCurrentMember: Call<GetCurrentMemberRequest, GetCurrentMemberResponse>;
  /**
   * Logs in and opens a session. Errors: CREDENTIALS_INVALID (unknown email and wrong password are told apart to
   * nobody), MEMBER_SUSPENDED, RATE_LIMITED (too many wrong passwords).
   *
   * `POST /v1/sessions`
   */
  createSession: Call<CreateSessionRequest, CreateSessionResponse>;
  /**
   * Exchanges a refresh token for new tokens. A refresh token is good once: used a second time it ends its
   * session. Errors: TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, MEMBER_SUSPENDED.
   *
   * `POST /v1/sessions:refresh`
   */
  refreshSession: Call<RefreshSessionRequest, RefreshSessionResponse>;
  /**
   * Lists the caller's open sessions, newest first: where somebody is logged in. Sessions that ended or expired
   * are not shown. Errors: PAGE_TOKEN_INVALID.
   *
   * `GET /v1/sessions`
   */
  listSessions: PagedCall<ListSessionsRequest, ListSessionsResponse, ListSessionsResponse["sessions"][number]>;
  /**
   * Ends a session of the caller's: its refresh token and its access tokens are refused from now on, by every
   * service. "current" is the session that calls: log-out. Errors: NOT_FOUND, for another's session and one that
   * has ended too.
   *
   * `DELETE /v1/sessions/{session_id}`
   */
  deleteSession: Call<DeleteSessionRequest, DeleteSessionResponse>;
  /**
   * Ends every open session of the caller's but the one that calls.
   *
   * `POST /v1/sessions:revoke-others`
   */
  revokeOtherSessions: Call<RevokeOtherSessionsRequest, RevokeOtherSessionsResponse>;
  /**
   * Suspends a member: from now on every call with their tokens is refused. Suspending twice changes nothing.
   * Errors: NOT_FOUND.
   *
   * `POST /v1/members/{member_id}:suspend`
   */
  suspendMember: Call<SuspendMemberRequest, SuspendMemberResponse>;
  /**
   * Lifts a suspension. Errors: NOT_FOUND.
   *
   * `POST /v1/members/{member_id}:reinstate`
   */
  reinstateMember: Call<ReinstateMemberRequest, ReinstateMemberResponse>;
}

export type MemberState =
  | "MEMBER_STATE_UNSPECIFIED"
  | "MEMBER_STATE_ACTIVE"
  | "MEMBER_STATE_SUSPENDED";

export interface RefreshSessionRequest {
  refreshToken: string;
}

export interface RefreshSessionResponse {
  accessToken: string;
  refreshToken: string;
  /** Always "Bearer". */
  tokenType: string;
  /** Life of the access token, in seconds. */
  expiresIn: number;
}

export interface ReinstateMemberRequest {
  memberId: string;
  /** Why, for the audit log. */
  reason: string;
}

export interface ReinstateMemberResponse {
  member: Member;
}

export interface RevokeOtherSessionsRequest {
}

export interface RevokeOtherSessionsResponse {
  /** How many sessions were ended. */
  revokedCount: number;
}

export interface RotateApiClientSecretRequest {
  apiClientId: string;
}

export interface RotateApiClientSecretResponse {
  apiClient: ApiClient;
  /** The new secret. */
  clientSecret: string;
}

/** Somebody logged in. */
export interface Session {
  /** UUID. */
  id: string;
  createTime?: string;
  /** When it was refreshed last; of a new one when it was opened. */
  lastUseTime?: string;
  /** When it ends unless it is refreshed before. */
  expireTime?: string;
  /** Address that it was used from last, as the edge saw it; empty when it is not known. */
  address: string;
  /** What the client said it is (User-Agent), cut to 256 characters; empty when it said nothing. */
  userAgent: string;
  /** Whether it is the session that asks. */
  current: boolean;
}

export interface SuspendMemberRequest {
  memberId: string;
  /** Why, for the audit log. */
  reason: string;
}

export interface SuspendMemberResponse {
  member: Member;
}
