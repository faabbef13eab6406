import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthorityService } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import type { AuthorityChange } from "@ferry/platform/auth";

/** Ids in one message of the stream, so that a long list of suspended members stays below the limit of a message. */
const CHUNK = 10_000;

function* inChunks(change: AuthorityChange) {
  const { snapshot, keys, suspendedMemberIds, reinstatedMemberIds, revokedSessionIds } = change;
  const longest = Math.max(suspendedMemberIds.length, reinstatedMemberIds.length, revokedSessionIds.length);
  for (let from = 0; from === 0 || from < longest; from += CHUNK)
    yield {
      snapshot: snapshot && from === 0,
      keys: from === 0 ? [...keys] : [],
      suspendedMemberIds: suspendedMemberIds.slice(from, from + CHUNK),
      reinstatedMemberIds: reinstatedMemberIds.slice(from, from + CHUNK),
      revokedSessionIds: revokedSessionIds.slice(from, from + CHUNK),
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
