import {
  type AuthorityChange,
  type AuthorityState,
  createAuthorityState,
  REVOCATION_LIFE_MS,
} from "@ferry/platform/auth";
import type { Database, Listening } from "@ferry/platform/db";
import type { Component } from "@ferry/platform/lifecycle";
import type { Logger } from "@ferry/platform/telemetry";
import type { Keyring, PublicKey } from "./keyring.ts";
import { memberStore } from "./store/member-store.ts";
import { listen, type Notice } from "./store/notices.ts";
import { sessionStore } from "./store/session-store.ts";
import { createWatchers } from "./watchers.ts";

/** Everything is looked at anew this often: notices are lost while the connection that hears them is. */
const RELOAD_MS = 15_000;

/** The authority at first hand: its state comes from the database, and whoever watches hears of each change. */
export type MemberAuthority = AuthorityState &
  Component & {
    /** The present state, then each change, until the signal is aborted. */
    watch(signal: AbortSignal): AsyncIterable<AuthorityChange>;
    /** Call after the commit; resolves when the state is that of the database. It never rejects. */
    memberChanged(memberId: string): Promise<void>;
    /** Call after the commit. */
    sessionsRevoked(sessionIds: readonly string[]): void;
  };

interface Loaded {
  keys: PublicKey[];
  suspended: ReadonlySet<string>;
  revoked: string[];
}

const NOTHING: AuthorityChange = {
  snapshot: false,
  keys: [],
  suspendedMemberIds: [],
  reinstatedMemberIds: [],
  revokedSessionIds: [],
};

function isEmpty({ snapshot, ...lists }: AuthorityChange): boolean {
  return !snapshot && Object.values(lists).every((list) => list.length === 0);
}

/** What must change so that what is known becomes what was loaded. */
function difference(known: AuthorityChange, loaded: Loaded): AuthorityChange {
  const kidsOf = (keys: readonly { kid: string }[]) =>
    keys
      .map(({ kid }) => kid)
      .sort()
      .join();
  const suspended = new Set(known.suspendedMemberIds);
  const revoked = new Set(known.revokedSessionIds);
  return {
    snapshot: false,
    keys: kidsOf(known.keys) === kidsOf(loaded.keys) ? [] : loaded.keys,
    suspendedMemberIds: [...loaded.suspended].filter((id) => !suspended.has(id)),
    reinstatedMemberIds: known.suspendedMemberIds.filter((id) => !loaded.suspended.has(id)),
    revokedSessionIds: loaded.revoked.filter((id) => !revoked.has(id)),
  };
}

export function createMemberAuthority(deps: {
  database: Database;
  keyring: Keyring;
  logger: Logger;
  reloadMs?: number;
}): MemberAuthority {
  const { database, keyring, logger, reloadMs = RELOAD_MS } = deps;
  const state = createAuthorityState();
  const watchers = createWatchers(() => state.snapshot());
  // Reads of the database come one after the other: the last one to be applied is then the newest, whatever the
  // order in which notices arrive.
  let last: Promise<void> = Promise.resolve();
  let changed = new Set<string>();
  let nextRead: Promise<void> | undefined;
  let listening: Listening | undefined;
  let timer: NodeJS.Timeout | undefined;

  function apply(change: AuthorityChange): void {
    if (isEmpty(change)) return;
    state.apply(change);
    watchers.push(change);
  }

  function inOrder(work: () => Promise<void>): Promise<void> {
    const done = last.then(work);
    last = done.catch((error) =>
      logger.error({ error: String(error) }, "authority could not be read, it will be in the next round"),
    );
    return done;
  }

  async function readAll(): Promise<void> {
    await keyring.rotate();
    const since = new Date(Date.now() - REVOCATION_LIFE_MS);
    const loaded: Loaded = {
      keys: await keyring.reload(),
      suspended: new Set(await memberStore.findSuspended(database)),
      revoked: await sessionStore.findRevokedSince(database, since),
    };
    if (state.unready() === undefined) return apply(difference(state.snapshot(), loaded));
    const { keys, suspended, revoked: revokedSessionIds } = loaded;
    apply({ ...NOTHING, snapshot: true, keys, suspendedMemberIds: [...suspended], revokedSessionIds });
  }

  /** One statement for all members whose notices came since the last. */
  async function readChanged(): Promise<void> {
    nextRead = undefined;
    const ids = [...changed];
    changed = new Set();
    const found = await memberStore.findStates(database, ids);
    apply({
      ...NOTHING,
      suspendedMemberIds: ids.filter((id) => found.get(id) === "suspended" && !state.isSuspended(id)),
      reinstatedMemberIds: ids.filter((id) => found.get(id) !== "suspended" && state.isSuspended(id)),
    });
  }

  async function memberChanged(memberId: string): Promise<void> {
    changed.add(memberId);
    nextRead ??= inOrder(readChanged).catch(() => {});
    await nextRead;
  }

  function sessionsRevoked(sessionIds: readonly string[]): void {
    apply({ ...NOTHING, revokedSessionIds: sessionIds.filter((id) => !state.isRevoked(id)) });
  }

  function heard(notice: Notice): void {
    switch (notice.kind) {
      case "member":
        void memberChanged(notice.memberId);
        return;
      case "session":
        sessionsRevoked([notice.sessionId]);
        return;
      case "keys":
      case "all":
        inOrder(readAll).catch(() => {});
        return;
      default:
        notice satisfies never;
    }
  }

  return {
    ...state,
    name: "authority",
    watch: watchers.watch,
    memberChanged,
    sessionsRevoked,
    async start() {
      listening = await listen(database, heard); // First, so that nothing falls between the reading and the hearing.
      await inOrder(readAll);
      timer = setInterval(() => inOrder(readAll).catch(() => {}), reloadMs);
    },
    async stop() {
      clearInterval(timer);
      watchers.close();
      await listening?.stop();
      await last;
    },
  };
}
