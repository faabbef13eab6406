import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Transaction } from "@ferry/platform/db";

/** A message that leaves with the transaction that it is added in. */
export interface OutgoingMessage<Schema extends DescMessage = DescMessage> {
  schema: Schema;
  message: MessageShape<Schema>;
  /** ce_id. Default: a new UUIDv7. */
  id?: string;
  /** Default: the topic of the message's option; replies name the topic that the command asked for. */
  topic?: string;
  sagaId?: string;
  sagaStep?: string;
  replyTo?: string;
  /** Default: that of the work at hand. A set of many pieces of work names each its own. */
  traceparent?: string;
  /** The command expires so many milliseconds after it was handed to the broker: an absent broker expires nothing. */
  ttlMs?: number;
}

export interface Outbox {
  /** Adds messages to the transaction. They are published after its commit, in the order of transactions. */
  add(tx: Transaction, messages: readonly OutgoingMessage[]): Promise<void>;
  /** Every message of a transaction with an id below this was acknowledged by the broker. */
  acknowledgedBelow(): Promise<bigint>;
}

/** What waits to be published by this process. */
export interface OutboxStats {
  /** Messages of committed transactions in memory. */
  pending: number;
  /** Age of the oldest of them, in milliseconds; 0 when there is none. */
  oldestAgeMs: number;
  /** Whether this process is the one that publishes. */
  relaying: boolean;
}
