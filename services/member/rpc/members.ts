import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
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
import type { CreateSession } from "../app/create-session.ts";
import type { Sessions } from "../app/sessions.ts";
import type { Tokens } from "../app/tokens.ts";
import type { Origin } from "../domain/audit.ts";
import type { Member, MemberState } from "../domain/member.ts";
import type { Session } from "../domain/session.ts";
import { callerOf, idOf, originOf } from "./callers.ts";

export interface MemberRpcDeps {
  createMember(command: CreateMember): Promise<Member>;
  createSession(command: CreateSession): Promise<Tokens>;
  refreshSession(refreshToken: string, origin: Origin): Promise<Tokens>;
  sessions: Sessions;
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

const sessionToWire = ({ id, createdAt, lastUsedAt, expiresAt, origin }: Session, currentId: string) => ({
  ...{ id, ...origin, current: id === currentId },
  createTime: timestampFromDate(createdAt),
  lastUseTime: timestampFromDate(lastUsedAt),
  expireTime: timestampFromDate(expiresAt),
});

/** The rpcs of MemberService. */
export function createMemberRpcs(deps: MemberRpcDeps): ServiceImpl<typeof MemberService> {
  async function changeState(
    wanted: MemberState,
    asked: { memberId: string; reason: string },
    context: HandlerContext,
  ) {
    const { memberId, reason } = asked;
    return {
      member: toWire(await deps.changeState({ memberId: idOf(memberId), reason, by: callerOf(context), wanted })),
    };
  }

  return {
    createMember: async ({ email, password, displayName }) => ({
      member: toWire(await deps.createMember({ email, password, displayName })),
    }),
    async getCurrentMember(_request, context) {
      const member = await deps.findMember(memberIdOf(context));
      if (member === undefined) throw new FerryError("UNAUTHENTICATED", "the token's member does not exist");
      return { member: toWire(member) };
    },
    createSession: async ({ email, password }, context) =>
      tokensToWire(await deps.createSession({ email, password, origin: originOf(context) })),
    refreshSession: async ({ refreshToken }, context) =>
      tokensToWire(await deps.refreshSession(refreshToken, originOf(context))),
    async listSessions({ pageSize, pageToken }, context) {
      const { memberId, sessionId } = callerOf(context);
      const { sessions, nextPageToken } = await deps.sessions.list(memberId, { pageSize, pageToken });
      return { sessions: sessions.map((session) => sessionToWire(session, sessionId)), nextPageToken };
    },
    async deleteSession({ sessionId }, context) {
      const caller = callerOf(context);
      await deps.sessions.end(caller, sessionId === "current" ? caller.sessionId : idOf(sessionId));
      return {};
    },
    revokeOtherSessions: async (_request, context) => ({
      revokedCount: await deps.sessions.endOthers(callerOf(context)),
    }),
    suspendMember: (request, context) => changeState("suspended", request, context),
    reinstateMember: (request, context) => changeState("active", request, context),
    async batchGetMemberStates({ memberIds }) {
      const found = await deps.findStates(memberIds);
      return { states: Object.fromEntries([...found].map(([id, state]) => [id, wireState(state)])) };
    },
  };
}
