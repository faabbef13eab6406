import { setTimeout as delay } from "node:timers/promises";
import type { ConnectRouter } from "@connectrpc/connect";
import { AuthorityService } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import type { Database } from "@ferry/platform/db";
import type { Component } from "@ferry/platform/lifecycle";
import type { Outbox } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import { createChangeState } from "./app/change-state.ts";
import { createCreateMember } from "./app/create-member.ts";
import { createCreateSession } from "./app/create-session.ts";
import { createRefreshSession } from "./app/refresh-session.ts";
import { createMemberAuthority, type MemberAuthority } from "./authority.ts";
import { createKeyring } from "./keyring.ts";
import { createAuthorityRpcs } from "./rpc/authority.ts";
import { createMemberRpcs } from "./rpc/members.ts";
import { memberStore } from "./store/member-store.ts";
import { notify } from "./store/notices.ts";
import { createPasswordHasher } from "./store/password-hash.ts";
import { hashOfRefreshToken, makeRefreshToken } from "./store/refresh-token.ts";
import { sessionStore } from "./store/session-store.ts";

export interface MemberDeps {
  database: Database;
  outbox: Pick<Outbox, "add">;
  logger: Logger;
  config: { keySecret: Buffer; rotateAfterMs: number };
}

const PURGE_EVERY_MS = 10 * 60_000;
const PURGE_CHUNKS = 100;
const PURGE_PAUSE_MS = 100;

/** Forgets sessions and refresh tokens that ended, in chunks, with pauses that leave the database its work. */
function createPurger({ database, logger }: Pick<MemberDeps, "database" | "logger">): Component {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  async function purge(): Promise<void> {
    for (let chunk = 0; chunk < PURGE_CHUNKS && !stopping.signal.aborted; chunk++) {
      if ((await sessionStore.purge(database, new Date())) === 0) return;
      await delay(PURGE_PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  return {
    name: "session-purger",
    async start() {
      timer = setInterval(() => {
        running = purge().catch((error) => logger.warn({ error: String(error) }, "old sessions were not purged"));
      }, PURGE_EVERY_MS);
    },
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await running;
    },
  };
}

/** People, their sessions, and the authority on whose tokens are good. */
export function createMemberService({ database, outbox, logger, config }: MemberDeps): {
  routes(router: ConnectRouter): void;
  components: readonly Component[];
  authority: MemberAuthority;
} {
  const keyring = createKeyring({ database, secret: config.keySecret, rotateAfterMs: config.rotateAfterMs });
  const authority = createMemberAuthority({ database, keyring, logger });
  const passwords = createPasswordHasher();
  const issuing = {
    database,
    sessions: sessionStore,
    accessTokens: {
      sign: (claims: Parameters<ReturnType<typeof keyring.signer>["sign"]>[0]) => keyring.signer().sign(claims),
    },
    refreshTokens: { make: makeRefreshToken, hashOf: hashOfRefreshToken },
  };
  const memberRpcs = createMemberRpcs({
    createMember: createCreateMember({ database, store: memberStore, passwords }),
    createSession: createCreateSession({ ...issuing, members: memberStore, passwords }),
    refreshSession: createRefreshSession({
      ...issuing,
      notifyRevoked: (tx, sessionId) => notify(tx, { kind: "session", sessionId }),
      pushRevoked: authority.sessionRevoked,
    }),
    changeState: createChangeState({
      database,
      store: memberStore,
      outbox,
      notifyChanged: (tx, memberId) => notify(tx, { kind: "member", memberId }),
      pushChanged: authority.memberChanged,
    }),
    findMember: (id) => memberStore.find(database, id),
    findStates: (ids) => memberStore.findStates(database, ids),
  });
  return {
    routes(router) {
      router.service(MemberService, memberRpcs);
      router.service(AuthorityService, createAuthorityRpcs(authority));
    },
    components: [createPurger({ database, logger })],
    authority,
  };
}
