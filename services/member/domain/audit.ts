/** What the audit log tells of; names as in the contract, without their prefix. */
export const AUDIT_KINDS = [
  "LOG_IN",
  "REFRESH_TOKEN_REUSED",
  "SESSION_ENDED",
  "OTHER_SESSIONS_ENDED",
  "MEMBER_SUSPENDED",
  "MEMBER_REINSTATED",
  "OPERATOR_MADE",
  "API_CLIENT_CREATED",
  "API_CLIENT_SECRET_ROTATED",
  "API_CLIENT_DELETED",
  "API_CLIENT_REFUSED",
] as const;

export type AuditKind = (typeof AUDIT_KINDS)[number];

/** Where a request came from, as the edge saw it; both empty when it is not known. */
export interface Origin {
  address: string;
  /** What the client said it is. */
  userAgent: string;
}

export const NOWHERE: Origin = { address: "", userAgent: "" };

/** Whoever has proven who they are: a member, in a session, or the API client that acts for one. */
export interface Caller {
  memberId: string;
  sessionId: string;
  clientId: string | undefined;
}

/** What is told to the audit log; it takes id and time by itself. */
export interface AuditFact {
  kind: AuditKind;
  /** Whom it was done to. */
  memberId?: string;
  /** Who did it. Where no origin is given, it is that of the session that they are in. */
  by?: Caller;
  /** The session that was opened or ended; default the one that it was done in. */
  sessionId?: string;
  /** The client that it was done to; default the one that did it. */
  apiClientId?: string;
  origin?: Origin;
  /** The reason of a refusal. Default "OK". */
  outcome?: string;
  /** What the one who did it gave as reason. */
  reason?: string;
}

export interface AuditEntry {
  id: string;
  kind: AuditKind;
  time: Date;
  memberId: string | undefined;
  actorId: string | undefined;
  sessionId: string | undefined;
  apiClientId: string | undefined;
  origin: Origin;
  outcome: string;
  reason: string;
}
