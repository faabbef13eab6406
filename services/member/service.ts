import type { ConnectRouter } from "@connectrpc/connect";
import { AuthorityService } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import { ApiClientService } from "@ferry/gen/ferry/member/v1/api_client_pb.ts";
import { AuditLogService } from "@ferry/gen/ferry/member/v1/audit_log_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { machineScopesOf } from "@ferry/platform/auth";
import type { Database } from "@ferry/platform/db";
import type { Component } from "@ferry/platform/lifecycle";
import type { Outbox } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import { createApiClients } from "./app/api-clients.ts";
import { createChangeState } from "./app/change-state.ts";
import { createCreateMember } from "./app/create-member.ts";
import { createCreateSession } from "./app/create-session.ts";
import { createCreateToken } from "./app/create-token.ts";
import { createGuesses } from "./app/guesses.ts";
import { createListAuditLog } from "./app/list-audit-log.ts";
import { createRefreshSession } from "./app/refresh-session.ts";
import { createSessions } from "./app/sessions.ts";
import type { AccessTokens } from "./app/tokens.ts";
import { createMemberAuthority, type MemberAuthority } from "./authority.ts";
import { createKeyring } from "./keyring.ts";
import { createPurger } from "./purger.ts";
import { createApiClientRpcs } from "./rpc/api-clients.ts";
import { createAuditLogRpcs } from "./rpc/audit-log.ts";
import { createAuthorityRpcs } from "./rpc/authority.ts";
import { createMemberRpcs } from "./rpc/members.ts";
import { apiClientStore } from "./store/api-client-store.ts";
import { auditStore } from "./store/audit-store.ts";
import { isClientSecret, makeClientSecret } from "./store/client-secret.ts";
import { guessStore } from "./store/guess-store.ts";
import { memberStore } from "./store/member-store.ts";
import { notify, notifyRevoked } from "./store/notices.ts";
import { createPasswordHasher } from "./store/password-hash.ts";
import { hashOfRefreshToken, makeRefreshToken } from "./store/refresh-token.ts";
import { sessionStore } from "./store/session-store.ts";

export interface MemberDeps {
  database: Database;
  outbox: Pick<Outbox, "add">;
  logger: Logger;
  config: {
    keySecret: Buffer;
    rotateAfterMs: number;
    /** How long a new signing key is published before it signs, in milliseconds. Default two minutes. */
    keyOverlapMs?: number;
  };
}

/** People, their sessions and API clients, the log of what was done to them, and the authority on whose tokens are good. */
export function createMemberService({ database, outbox, logger, config }: MemberDeps): {
  routes(router: ConnectRouter): void;
  components: readonly Component[];
  authority: MemberAuthority;
} {
  const { keySecret: secret, rotateAfterMs, keyOverlapMs: overlapMs } = config;
  const keyring = createKeyring({ database, secret, rotateAfterMs, overlapMs });
  const authority = createMemberAuthority({ database, keyring, logger });
  const passwords = createPasswordHasher();
  const guesses = createGuesses({ database, store: guessStore });
  const audited = { database, audit: auditStore };
  const accessTokens: AccessTokens = { sign: (claims) => keyring.signer().sign(claims) };
  const issuing = {
    ...{ ...audited, accessTokens, sessions: sessionStore },
    refreshTokens: { make: makeRefreshToken, hashOf: hashOfRefreshToken },
  };
  const revoking = { notifyRevoked, pushRevoked: authority.sessionsRevoked };
  const memberRpcs = createMemberRpcs({
    createMember: createCreateMember({ database, store: memberStore, passwords }),
    createSession: createCreateSession({ ...issuing, members: memberStore, passwords, guesses }),
    refreshSession: createRefreshSession({
      ...issuing,
      notifyRevoked: (tx, sessionId) => notifyRevoked(tx, [sessionId]),
      pushRevoked: (sessionId) => authority.sessionsRevoked([sessionId]),
    }),
    sessions: createSessions({ ...audited, ...revoking, store: sessionStore }),
    changeState: createChangeState({
      ...audited,
      store: memberStore,
      outbox,
      notifyChanged: (tx, memberId) => notify(tx, { kind: "member", memberId }),
      pushChanged: authority.memberChanged,
    }),
    findMember: (id) => memberStore.find(database, id),
    findStates: (ids) => memberStore.findStates(database, ids),
  });
  const apiClientRpcs = createApiClientRpcs({
    apiClients: createApiClients({
      ...{ ...audited, ...revoking, store: apiClientStore, sessions: sessionStore },
      secrets: { make: makeClientSecret },
    }),
    createToken: createCreateToken({
      ...{ ...audited, accessTokens, machineScopesOf, guesses, store: apiClientStore },
      secrets: { isRight: isClientSecret },
    }),
  });
  return {
    routes(router) {
      router.service(MemberService, memberRpcs);
      router.service(ApiClientService, apiClientRpcs);
      const list = createListAuditLog({ database, store: auditStore });
      router.service(AuditLogService, createAuditLogRpcs({ list }));
      router.service(AuthorityService, createAuthorityRpcs(authority));
    },
    components: [createPurger({ database, logger })],
    authority,
  };
}
