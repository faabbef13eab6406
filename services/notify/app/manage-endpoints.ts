import { type Database, newUuid, type Queryable, type Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { checkEndpoint, checkRoom, type EndpointRequest, type EndpointRules } from "../domain/endpoint.ts";
import type { EndpointRow } from "./rows.ts";

interface EndpointStore {
  lockEndpointCount(tx: Transaction, memberId: string): Promise<number>;
  insertEndpoint(
    tx: Transaction,
    endpoint: EndpointRequest & { id: string; memberId: string; sealedSecret: Buffer },
  ): Promise<EndpointRow>;
  findEndpoint(from: Queryable, memberId: string, id: string): Promise<EndpointRow | undefined>;
  listEndpoints(from: Queryable, memberId: string): Promise<EndpointRow[]>;
  replaceSecret(
    from: Queryable,
    rotated: { memberId: string; id: string; sealedSecret: Buffer; previousForMs: number },
  ): Promise<EndpointRow | undefined>;
  deleteEndpoint(from: Queryable, memberId: string, id: string): Promise<boolean>;
  enableEndpoint(from: Queryable, memberId: string, id: string): Promise<EndpointRow | undefined>;
}

interface Secrets {
  newSecret(): Buffer;
  seal(endpointId: string, secret: Buffer): Buffer;
}

export interface ManageEndpointsDeps {
  database: Database;
  store: EndpointStore;
  secrets: Secrets;
  rules: EndpointRules;
  maxEndpoints: number;
  previousSecretMs: number;
  /** Something may be due. */
  wake(): void;
}

export type ManageEndpoints = ReturnType<typeof createManageEndpoints>;

const notFound = (id: string) => new FerryError("NOT_FOUND", `no webhook endpoint ${id}`);

/** What members do with their endpoints. All of it throws NOT_FOUND for another's too. */
export function createManageEndpoints(deps: ManageEndpointsDeps) {
  const { database, store, secrets, rules, maxEndpoints, previousSecretMs, wake } = deps;

  async function get(memberId: string, id: string): Promise<EndpointRow> {
    const found = await store.findEndpoint(database, memberId, id);
    if (found === undefined) throw notFound(id);
    return found;
  }

  return {
    get,
    list: (memberId: string) => store.listEndpoints(database, memberId),

    /** @throws FerryError INVALID_REQUEST, WEBHOOK_ENDPOINT_LIMIT. */
    async create(memberId: string, request: EndpointRequest): Promise<{ endpoint: EndpointRow; secret: Buffer }> {
      checkEndpoint(request, rules);
      const id = newUuid();
      const secret = secrets.newSecret();
      const endpoint = await database.transaction(async (tx) => {
        checkRoom(await store.lockEndpointCount(tx, memberId), maxEndpoints);
        return store.insertEndpoint(tx, { ...request, id, memberId, sealedSecret: secrets.seal(id, secret) });
      });
      return { endpoint, secret };
    },

    async rotateSecret(memberId: string, id: string): Promise<{ endpoint: EndpointRow; secret: Buffer }> {
      const secret = secrets.newSecret();
      const rotated = { memberId, id, sealedSecret: secrets.seal(id, secret), previousForMs: previousSecretMs };
      const endpoint = await store.replaceSecret(database, rotated);
      if (endpoint === undefined) throw notFound(id);
      return { endpoint, secret };
    },

    async delete(memberId: string, id: string): Promise<void> {
      if (!(await store.deleteEndpoint(database, memberId, id))) throw notFound(id);
    },

    async enable(memberId: string, id: string): Promise<EndpointRow> {
      const enabled = await store.enableEndpoint(database, memberId, id);
      wake();
      return enabled ?? (await get(memberId, id));
    },
  };
}
