import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthorityService } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import { type AuthorityChange, MAX_LISTED } from "@ferry/platform/auth";

/** A change whose lists are as long as allowed is followed by another one, be it empty: by that its end is known. */
function* inChunks(change: AuthorityChange) {
  const { snapshot, keys, suspendedMemberIds, reinstatedMemberIds, revokedSessionIds } = change;
  const longest = Math.max(suspendedMemberIds.length, reinstatedMemberIds.length, revokedSessionIds.length);
  for (let from = 0; from <= longest; from += MAX_LISTED)
    yield {
      snapshot: snapshot && from === 0,
      keys: from === 0 ? [...keys] : [],
      suspendedMemberIds: suspendedMemberIds.slice(from, from + MAX_LISTED),
      reinstatedMemberIds: reinstatedMemberIds.slice(from, from + MAX_LISTED),
      revokedSessionIds: revokedSessionIds.slice(from, from + MAX_LISTED),
    };
}

/** The stream that verifiers watch. */
export function createAuthorityRpcs(authority: {
  watch(signal: AbortSignal): AsyncIterable<AuthorityChange>;
}): ServiceImpl<typeof AuthorityService> {
  return {
    async *watchAuthority(_request, context) {
      for await (const change of authority.watch(context.signal)) yield* inChunks(change);
    },
  };
}
