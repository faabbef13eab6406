import { type Database, nameUuid, type Transaction } from "@ferry/platform/db";
import { wants } from "../domain/endpoint.ts";
import type { NewDelivery } from "./rows.ts";

/** Names the UUIDs of events and deliveries; made once, at random. */
const NAMESPACE = "3f0f2a6e-9d0e-4a53-8f6c-52b8f9a1c7d4";

/** Of an event's data, in characters: a receiver must be able to take it. What is larger is to be asked for. */
const MAX_DATA_LENGTH = 262_144;

/** Something that happened to a member. */
export interface MemberEvent {
  /** The same for every time that it is heard of. */
  id: string;
  /** As "transfer.completed". */
  type: string;
  memberId: string;
  /** What it is about, as a transfer's id. */
  subject: string;
  /** Orders the events of one subject. */
  version: bigint;
  time: Date;
  /** JSON text. */
  data: string;
}

interface Subscriber {
  id: string;
  memberId: string;
  eventTypes: readonly string[];
  pendingCount: number;
}

interface Subject {
  endpointId: string;
  subject: string;
}

export interface RecordEventsDeps {
  database: Database;
  store: {
    lockSubscribers(tx: Transaction, memberIds: readonly string[]): Promise<Subscriber[]>;
    insertDeliveries(tx: Transaction, deliveries: readonly NewDelivery[]): Promise<Subject[]>;
    orderSubjects(tx: Transaction, subjects: readonly Subject[]): Promise<void>;
    addPending(tx: Transaction, added: ReadonlyMap<string, number>): Promise<void>;
    killPending(tx: Transaction, endpointId: string): Promise<number>;
    disableEndpoint(tx: Transaction, disabled: { id: string; reason: "BACKLOG"; killed: number }): Promise<void>;
  };
  /** Deliveries that may wait for one endpoint. */
  maxPending: number;
  /** Something is due. */
  wake(): void;
}

/** The delivery of an event to an endpoint. The id of both is the same whenever they are heard of again. */
export function deliveryOf(event: MemberEvent, endpointId: string): NewDelivery {
  const eventId = nameUuid(NAMESPACE, event.id);
  const { type, subject, version, time } = event;
  const data = event.data.length <= MAX_DATA_LENGTH ? event.data : JSON.stringify({ subject, omitted: true });
  const head = { id: eventId, type, timestamp: time.toISOString() };
  return {
    id: nameUuid(NAMESPACE, `${event.id}\n${endpointId}`),
    endpointId,
    eventId,
    eventType: type,
    subject,
    version,
    body: `${JSON.stringify(head).slice(0, -1)},"data":${data}}`,
  };
}

/**
 * Records a delivery for each event and each endpoint of its member that wants it, once, and has the queues of
 * these endpoints looked at. An endpoint for which too many wait is disabled: its member has to hear of it.
 */
export function createRecordEvents({ database, store, maxPending, wake }: RecordEventsDeps) {
  return async (events: readonly MemberEvent[]): Promise<void> => {
    await database.transaction(async (tx) => {
      const subscribers = await store.lockSubscribers(tx, [...new Set(events.map(({ memberId }) => memberId))]);
      const deliveries = events.flatMap((event) =>
        subscribers
          .filter((one) => one.memberId === event.memberId && wants(one.eventTypes, event.type))
          .map((one) => deliveryOf(event, one.id)),
      );
      if (deliveries.length === 0) return;
      const added = await store.insertDeliveries(tx, deliveries);
      if (added.length === 0) return;
      await store.orderSubjects(tx, added);
      const counts = new Map<string, number>();
      for (const { endpointId } of added) counts.set(endpointId, (counts.get(endpointId) ?? 0) + 1);
      await store.addPending(tx, counts);
      for (const { id, pendingCount } of subscribers)
        if (pendingCount + (counts.get(id) ?? 0) > maxPending)
          await store.disableEndpoint(tx, { id, reason: "BACKLOG", killed: await store.killPending(tx, id) });
      tx.afterCommit(wake);
    });
  };
}
