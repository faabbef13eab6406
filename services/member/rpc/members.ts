import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  MemberSchema,
  type MemberService,
  type MemberState as WireState,
  MemberState as WireStates,
} from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { ACCESS_TOKEN } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { memberIdOf } from "@ferry/platform/rpc";
import type { ChangeState } from "../app/change-state.ts";
import type { CreateMember } from "../app/create-member.ts";
import type { Tokens } from "../app/tokens.ts";
import type { Member, MemberState } from "../domain/member.ts";

export interface MemberRpcDeps {
  createMember(command: CreateMember): Promise<Member>;
  createSession(email: string, password: string): Promise<Tokens>;
  refreshSession(refreshToken: string): Promise<Tokens>;
  changeState(command: ChangeState): Promise<Member>;
  findMember(id: string): Promise<Member | undefined>;
  findStates(ids: readonly string[]): Promise<ReadonlyMap<string, MemberState>>;
}

const wireState = (state: MemberState): WireState => (state === "suspended" ? WireStates.SUSPENDED : WireStates.ACTIVE);

function toWire({ id, email, displayName, state, createdAt }: Member) {
  const createTime = timestampFromDate(createdAt);
  return create(MemberSchema, { id, email, displayName, state: wireState(state), createTime });
}

const tokensToWire = ({ accessToken, refreshToken }: Tokens) => ({
  accessToken,
  refreshToken,
  tokenType: "Bearer",
  expiresIn: ACCESS_TOKEN.lifeSeconds,
});

/** The rpcs of MemberService. */
export function createMemberRpcs(deps: MemberRpcDeps): ServiceImpl<typeof MemberService> {
  return {
    createMember: async ({ email, password, displayName }) => ({
      member: toWire(await deps.createMember({ email, password, displayName })),
    }),
    async getCurrentMember(_request, context) {
      const member = await deps.findMember(memberIdOf(context));
      if (member === undefined) throw new FerryError("UNAUTHENTICATED", "the token's member does not exist");
      return { member: toWire(member) };
    },
    createSession: async ({ email, password }) => tokensToWire(await deps.createSession(email, password)),
    refreshSession: async ({ refreshToken }) => tokensToWire(await deps.refreshSession(refreshToken)),
    suspendMember: async ({ memberId, reason }, context) => {
      const operatorId = memberIdOf(context);
      return { member: toWire(await deps.changeState({ memberId, reason, operatorId, wanted: "suspended" })) };
    },
    reinstateMember: async ({ memberId, reason }, context) => {
      const operatorId = memberIdOf(context);
      return { member: toWire(await deps.changeState({ memberId, reason, operatorId, wanted: "active" })) };
    },
    async batchGetMemberStates({ memberIds }) {
      const found = await deps.findStates(memberIds);
      return { states: Object.fromEntries([...found].map(([id, state]) => [id, wireState(state)])) };
    },
  };
}
