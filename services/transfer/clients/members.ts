import type { Client } from "@connectrpc/connect";
import { type MemberService, MemberState } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { createBatcher } from "@ferry/platform/db";
import type { TransferFacts } from "../domain/transfer.ts";

const STATES: Partial<Record<MemberState, TransferFacts["memberState"]>> = {
  [MemberState.ACTIVE]: "active",
  [MemberState.SUSPENDED]: "suspended",
};

/** Asks member for the states of members, one call for many callers. */
export function createMembers(client: Client<typeof MemberService>) {
  const batcher = createBatcher<string, TransferFacts["memberState"]>({
    async run(ids) {
      const { states } = await client.batchGetMemberStates({ memberIds: [...new Set(ids)] });
      return ids.map((id) => {
        const state = states[id];
        return state === undefined ? undefined : STATES[state];
      });
    },
  });
  return { stateOf: (memberId: string) => batcher.add(memberId) };
}
