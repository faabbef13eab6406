/** As many as one member needs who changes over secrets in pairs. */
export const MAX_API_CLIENTS = 20;

/** A machine that acts for a member. */
export interface ApiClient {
  id: string;
  memberId: string;
  displayName: string;
  /** In alphabetical order. */
  scopes: readonly string[];
  /** What stands for its session: its tokens carry it, and end with it. */
  sessionId: string;
  createdAt: Date;
  lastUsedAt: Date | undefined;
}

/** Index of the first scope that cannot be given; undefined when all can. */
export function findForbiddenScope(wanted: readonly string[], allowed: readonly string[]): number | undefined {
  const index = wanted.findIndex((scope) => !allowed.includes(scope));
  return index === -1 ? undefined : index;
}

/**
 * The scopes of a token: those asked for, each of which the client and its member must have; all of them when none
 * is asked for.
 *
 * @returns Undefined when one is asked for that cannot be given.
 */
export function scopesForToken(
  asked: string,
  client: readonly string[],
  member: readonly string[],
): string[] | undefined {
  const allowed = client.filter((scope) => member.includes(scope));
  const wanted = new Set(asked.split(" ").filter((scope) => scope !== ""));
  if (wanted.size === 0) return allowed;
  return [...wanted].every((scope) => allowed.includes(scope)) ? [...wanted].sort() : undefined;
}
