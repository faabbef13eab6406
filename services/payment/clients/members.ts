import type { Client } from "@connectrpc/connect";
import { type MemberService, MemberState } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { createBatcher } from "@ferry/platform/db";
import { withLastAnswer } from "@ferry/platform/upstream";
import type { TopUpFacts } from "../domain/top-up.ts";

const STATES: Partial<Record<MemberState, TopUpFacts["memberState"]>> = {
  [MemberState.ACTIVE]: "active",
  [MemberState.SUSPENDED]: "suspended",
};

/** Who is suspended is told by member alone: while it is away nobody is, and soon after it is back it is asked again. */
const MAX_AGE_MS = 60_000;

/**
 * Asks member for the states of members, one call for many callers. While member cannot be asked, what it last
 * said of one is taken for up to a minute.
 */
export function createMembers(client: Client<typeof MemberService>) {
  const batcher = createBatcher<string, TopUpFacts["memberState"]>({
    async run(ids) {
      const { states } = await client.batchGetMemberStates({ memberIds: [...new Set(ids)] });
      return ids.map((id) => {
        const state = states[id];
        return state === undefined ? undefined : STATES[state];
      });
    },
  });
  return {
    stateOf: withLastAnswer((memberId: string) => batcher.add(memberId), { upstream: "member", maxAgeMs: MAX_AGE_MS }),
  };
}
