import type { Coordinator } from "../group/coordinator.ts";
import type { OffsetStore } from "../group/offsets.ts";
import type { ProducerIds } from "../log/producer-ids.ts";
import type { Topics } from "../log/topics.ts";
import type { Reader } from "../protocol/reader.ts";
import type { Writer } from "../protocol/writer.ts";
import type { FetchWaiters } from "./fetch-waiters.ts";

/** The one broker there is: leader of every partition, and coordinator of every group. */
export const NODE_ID = 1;

/** What the handlers work with. */
export interface BrokerRoom {
  readonly host: string;
  /** Known only once the broker listens. */
  readonly port: () => number;
  readonly clusterId: string;
  readonly topics: Topics;
  readonly coordinator: Coordinator;
  readonly offsets: OffsetStore;
  readonly producerIds: ProducerIds;
  readonly waiters: FetchWaiters;
  readonly defaultPartitions: number;
  readonly autoCreateTopics: boolean;
  readonly maxFetchBytes: number;
  readonly maxMetadataBytes: number;
  readonly log: (event: string, fields: Record<string, unknown>) => void;
}

/** The side of a connection that handlers see. */
export interface Peer {
  readonly address: string;
  /** Called once when the connection closes while its request is being answered; set anew by each request. */
  onClose: (() => void) | undefined;
}

export interface Request {
  readonly version: number;
  readonly clientId: string;
  readonly body: Reader;
  readonly peer: Peer;
}

/** undefined: the client asked for no response. */
export type Answer = Writer | undefined;

export interface Api {
  readonly key: number;
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly handle: (request: Request, room: BrokerRoom) => Answer | Promise<Answer>;
}
