import {
  type Database,
  isInt64,
  newUuid,
  type Queryable,
  readPageToken,
  type Transaction,
  writePageToken,
} from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { EndpointState } from "../domain/endpoint.ts";
import { PING } from "../domain/event-type.ts";
import { deliveryOf } from "./record-events.ts";
import type { DeliveryRow, DeliveryState, EndpointRow, NewDelivery } from "./rows.ts";

const DEFAULT_PAGE_SIZE = 50;
/** What one call sets on its way at most: a transaction must not be long. */
const MAX_REDRIVEN = 1_000;

interface Subject {
  endpointId: string;
  subject: string;
}

interface DeliveryStore {
  lockEndpoint(
    tx: Transaction,
    memberId: string,
    id: string,
  ): Promise<{ state: EndpointState; pendingCount: number } | undefined>;
  findEndpoint(from: Queryable, memberId: string, id: string): Promise<EndpointRow | undefined>;
  findDelivery(from: Queryable, memberId: string, id: string): Promise<DeliveryRow | undefined>;
  listDeliveries(
    from: Queryable,
    page: { endpointId: string; state: DeliveryState | undefined; before: bigint | undefined; limit: number },
  ): Promise<DeliveryRow[]>;
  insertDeliveries(tx: Transaction, deliveries: readonly NewDelivery[]): Promise<Subject[]>;
  reviveDeliveries(
    tx: Transaction,
    which: { endpointId: string; id: string | undefined; limit: number },
  ): Promise<Subject[]>;
  orderSubjects(tx: Transaction, subjects: readonly Subject[]): Promise<void>;
  addPending(tx: Transaction, added: ReadonlyMap<string, number>): Promise<void>;
}

export interface ManageDeliveriesDeps {
  database: Database;
  store: DeliveryStore;
  /** Deliveries that may wait for one endpoint. */
  maxPending: number;
  /** Something is due. */
  wake(): void;
}

export interface ListDeliveriesRequest {
  memberId: string;
  endpointId: string;
  state: DeliveryState | undefined;
  /** 0 means 50. */
  pageSize: number;
  pageToken: string;
}

export type ManageDeliveries = ReturnType<typeof createManageDeliveries>;

const noEndpoint = (id: string) => new FerryError("NOT_FOUND", `no webhook endpoint ${id}`);

/** What members do with the deliveries to their endpoints. All of it throws NOT_FOUND for another's too. */
export function createManageDeliveries({ database, store, maxPending, wake }: ManageDeliveriesDeps) {
  async function get(memberId: string, id: string): Promise<DeliveryRow> {
    const found = await store.findDelivery(database, memberId, id);
    if (found === undefined) throw new FerryError("NOT_FOUND", `no webhook delivery ${id}`);
    return found;
  }

  /** Locks an endpoint that is enabled. @returns how many more deliveries may wait for it, 1 at least. */
  async function lockRoom(tx: Transaction, memberId: string, id: string): Promise<number> {
    const endpoint = await store.lockEndpoint(tx, memberId, id);
    if (endpoint === undefined) throw noEndpoint(id);
    if (endpoint.state === "DISABLED")
      throw new FerryError("WEBHOOK_ENDPOINT_DISABLED", `webhook endpoint ${id} is disabled: enable it first`);
    const room = maxPending - endpoint.pendingCount;
    if (room <= 0)
      throw new FerryError("WEBHOOK_BACKLOG", `${maxPending} deliveries wait for webhook endpoint ${id}: no more may`);
    return room;
  }

  async function redrive(memberId: string, endpointId: string, id: string | undefined): Promise<number> {
    return database.transaction(async (tx) => {
      const room = await lockRoom(tx, memberId, endpointId);
      const revived = await store.reviveDeliveries(tx, { endpointId, id, limit: Math.min(MAX_REDRIVEN, room) });
      if (revived.length === 0) return 0;
      await store.orderSubjects(tx, revived);
      await store.addPending(tx, new Map([[endpointId, revived.length]]));
      tx.afterCommit(wake);
      return revived.length;
    });
  }

  return {
    get,

    /** One page, newest first. @throws FerryError PAGE_TOKEN_INVALID. */
    async list(request: ListDeliveriesRequest): Promise<{ deliveries: DeliveryRow[]; nextPageToken: string }> {
      const { memberId, endpointId, state } = request;
      if ((await store.findEndpoint(database, memberId, endpointId)) === undefined) throw noEndpoint(endpointId);
      const size = request.pageSize || DEFAULT_PAGE_SIZE;
      const query = `deliveries ${endpointId} ${state ?? ""}`;
      const seq = readPageToken(query, request.pageToken, [isInt64])?.[0];
      const before = seq === undefined ? undefined : BigInt(seq);
      const rows = await store.listDeliveries(database, { endpointId, state, before, limit: size + 1 });
      const deliveries = rows.slice(0, size);
      const last = rows.length > size ? deliveries.at(-1) : undefined;
      return { deliveries, nextPageToken: last === undefined ? "" : writePageToken(query, [String(last.seq)]) };
    },

    /** Sends an event of type "ping". @throws FerryError WEBHOOK_ENDPOINT_DISABLED, WEBHOOK_BACKLOG. */
    async ping(memberId: string, endpointId: string): Promise<DeliveryRow> {
      const id = newUuid();
      const event = { id, type: PING, memberId, subject: id, version: 0n, time: new Date(), data: "{}" };
      const delivery = deliveryOf(event, endpointId);
      await database.transaction(async (tx) => {
        await lockRoom(tx, memberId, endpointId);
        await store.insertDeliveries(tx, [delivery]);
        await store.addPending(tx, new Map([[endpointId, 1]]));
        tx.afterCommit(wake);
      });
      return get(memberId, delivery.id);
    },

    /** @throws FerryError WEBHOOK_ENDPOINT_DISABLED, WEBHOOK_DELIVERED, WEBHOOK_BACKLOG. */
    async redriveOne(memberId: string, id: string): Promise<DeliveryRow> {
      const found = await get(memberId, id);
      if (found.state === "DELIVERED")
        throw new FerryError(
          "WEBHOOK_DELIVERED",
          `webhook delivery ${id} was delivered: there is nothing to send again`,
        );
      await redrive(memberId, found.endpointId, id);
      return get(memberId, id);
    },

    /** @returns how many were set on their way. @throws FerryError WEBHOOK_ENDPOINT_DISABLED, WEBHOOK_BACKLOG. */
    redriveAll: (memberId: string, endpointId: string) => redrive(memberId, endpointId, undefined),
  };
}
