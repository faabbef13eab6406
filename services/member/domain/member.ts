export type MemberState = "active" | "suspended";
export type Role = "member" | "operator";

/** A person, as others may see them. */
export interface Member {
  id: string;
  /** In its normal form. */
  email: string;
  displayName: string;
  role: Role;
  state: MemberState;
  /** Rises by one with each change of state or role. */
  version: bigint;
  createdAt: Date;
}

/**
 * The form in which an email is stored and compared. Lower case throughout: by the letter of RFC 5321 the part
 * before the @ may tell cases apart, but no provider does, and two people with one mailbox would be one too many.
 */
export function normalizeEmail(email: string): string {
  return email.normalize("NFC").toLowerCase();
}

export type SuspensionDecision = { kind: "changed"; member: Member } | { kind: "unchanged"; member: Member };

/** Decides a suspension or its end. What is so already is not changed again: no event, no audit entry. */
export function decideState(member: Member, wanted: MemberState): SuspensionDecision {
  if (member.state === wanted) return { kind: "unchanged", member };
  return { kind: "changed", member: { ...member, state: wanted, version: member.version + 1n } };
}
