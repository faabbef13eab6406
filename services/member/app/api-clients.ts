import { type Database, newUuid, type Queryable, type Transaction } from "@ferry/platform/db";
import { FerryError, invalidRequest } from "@ferry/platform/errors";
import { type ApiClient, findForbiddenScope, MAX_API_CLIENTS } from "../domain/api-client.ts";
import type { AuditFact, Caller } from "../domain/audit.ts";

interface ApiClientStore {
  lockCount(tx: Transaction, memberId: string): Promise<number>;
  insert(tx: Transaction, client: ApiClient, secretHash: Buffer): Promise<void>;
  find(db: Queryable, memberId: string, id: string): Promise<ApiClient | undefined>;
  lock(tx: Transaction, memberId: string, id: string): Promise<ApiClient | undefined>;
  list(db: Queryable, memberId: string): Promise<ApiClient[]>;
  /** Also ends what the tokens of the former secret carry as their session. */
  replaceSecret(
    tx: Transaction,
    client: ApiClient,
    next: { hash: Buffer; sessionId: string; now: Date },
  ): Promise<void>;
  delete(tx: Transaction, client: ApiClient, now: Date): Promise<void>;
}

interface SessionStore {
  /** Keeps others from ending a session until the transaction is over. @returns Whether it is open. */
  lockOpen(tx: Transaction, id: string): Promise<boolean>;
}

export interface ApiClientsDeps {
  database: Database;
  store: ApiClientStore;
  sessions: SessionStore;
  secrets: { make(): { secret: string; hash: Buffer } };
  audit: { record(db: Queryable, fact: AuditFact): Promise<void> };
  /** Tells the other replicas, when the transaction commits. */
  notifyRevoked(tx: Transaction, sessionIds: readonly string[]): Promise<void>;
  /** Tells whoever watches this replica. */
  pushRevoked(sessionIds: readonly string[]): void;
}

export type ApiClients = ReturnType<typeof createApiClients>;

const unknown = (id: string) => new FerryError("NOT_FOUND", `api_client_id: there is no API client ${id}`);

/** What members do with their API clients. All that names one throws NOT_FOUND for another's too. */
export function createApiClients(deps: ApiClientsDeps) {
  const { database, store, sessions, secrets, audit, notifyRevoked, pushRevoked } = deps;

  /**
   * A new secret outlives the session that asked for it, so the word of the session's end must not be under way still.
   * Asked after the rest has locked its member, as whoever makes an operator does first.
   * @throws FerryError SESSION_REVOKED.
   */
  async function demandOpen(tx: Transaction, { sessionId }: Caller): Promise<void> {
    if (!(await sessions.lockOpen(tx, sessionId)))
      throw new FerryError("SESSION_REVOKED", "the session was ended: log in again");
  }

  return {
    /**
     * @param allowed Scopes that the caller may give to a machine.
     * @throws FerryError INVALID_REQUEST, API_CLIENT_LIMIT, SESSION_REVOKED.
     */
    async create(
      caller: Caller,
      wanted: { displayName: string; scopes: readonly string[] },
      allowed: readonly string[],
    ) {
      const forbidden = findForbiddenScope(wanted.scopes, allowed);
      if (forbidden !== undefined) {
        const description = "is not a scope that you have and a machine can be given";
        throw invalidRequest([{ field: `scopes[${forbidden}]`, description }]);
      }
      const { memberId } = caller;
      const { secret, hash } = secrets.make();
      const client: ApiClient = {
        ...{ id: newUuid(), memberId, displayName: wanted.displayName, scopes: [...new Set(wanted.scopes)].sort() },
        ...{ sessionId: newUuid(), createdAt: new Date(), lastUsedAt: undefined },
      };
      await database.transaction(async (tx) => {
        if ((await store.lockCount(tx, memberId)) >= MAX_API_CLIENTS)
          throw new FerryError("API_CLIENT_LIMIT", `a member has at most ${MAX_API_CLIENTS} API clients`);
        await store.insert(tx, client, hash);
        await demandOpen(tx, caller);
        const reason = client.scopes.join(" ");
        await audit.record(tx, { kind: "API_CLIENT_CREATED", memberId, by: caller, apiClientId: client.id, reason });
      });
      return { client, secret };
    },

    /** Oldest first. */
    list: (memberId: string): Promise<ApiClient[]> => store.list(database, memberId),

    async get(memberId: string, id: string): Promise<ApiClient> {
      const found = await store.find(database, memberId, id);
      if (found === undefined) throw unknown(id);
      return found;
    },

    /** @throws FerryError NOT_FOUND, SESSION_REVOKED. */
    async rotateSecret(caller: Caller, id: string) {
      const { memberId } = caller;
      const { secret, hash } = secrets.make();
      const sessionId = newUuid();
      const before = await database.transaction(async (tx) => {
        const client = await store.lock(tx, memberId, id);
        if (client === undefined) throw unknown(id);
        await store.replaceSecret(tx, client, { hash, sessionId, now: new Date() });
        await demandOpen(tx, caller);
        await audit.record(tx, { kind: "API_CLIENT_SECRET_ROTATED", memberId, by: caller, apiClientId: id });
        await notifyRevoked(tx, [client.sessionId]);
        return client;
      });
      pushRevoked([before.sessionId]);
      return { client: { ...before, sessionId }, secret };
    },

    async delete(caller: Caller, id: string): Promise<void> {
      const { memberId } = caller;
      const gone = await database.transaction(async (tx) => {
        const client = await store.lock(tx, memberId, id);
        if (client === undefined) throw unknown(id);
        await store.delete(tx, client, new Date());
        await audit.record(tx, { kind: "API_CLIENT_DELETED", memberId, by: caller, apiClientId: id });
        await notifyRevoked(tx, [client.sessionId]);
        return client;
      });
      pushRevoked([gone.sessionId]);
    },
  };
}
