// The messages of the contest: commands as transfer sends them to ledger, in sets as its outbox does.
import { create, toBinary } from "@bufbuild/protobuf";
import { PlaceHoldRequestSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { type OutgoingRecord, writeHeaders } from "@ferry/platform/events";
import { newTraceparent } from "@ferry/platform/telemetry";

/** Messages of one publication: what gathers at a thousand transfers a second. */
const SET_SIZE = 32;
const SETS = 64;

/** One way to publish and to consume. */
export interface BusWay {
  /** Begins to consume a topic from its start, and gives how to publish to it. `received` is told each message's headers. */
  open(options: {
    brokers: string[];
    topic: string;
    received(headers: Readonly<Record<string, string>>): void;
  }): Promise<{
    publish(records: readonly OutgoingRecord[]): Promise<void>;
    close(): Promise<void>;
  }>;
}

const account = newUuid();

function makeRecord(topic: string): OutgoingRecord {
  const transferId = newUuid();
  const message = create(PlaceHoldRequestSchema, {
    transferId,
    sourceAccountId: account,
    payerMemberId: newUuid(),
    amount: { currency: "EUR", minorUnits: 2_500n },
  });
  const headers = writeHeaders({
    id: `${transferId}:place-hold:1`,
    type: PlaceHoldRequestSchema.typeName,
    source: "ferry/transfer",
    time: new Date(),
    traceparent: newTraceparent(),
    sagaId: transferId,
    sagaStep: "place-hold",
    replyTo: "ferry.transfer.replies.v1",
    expiresAt: new Date(),
  });
  return { topic, key: newUuid(), value: toBinary(PlaceHoldRequestSchema, message), headers };
}

/** Sets to publish again and again: making them anew would be work that is not the bus's. */
export function makeSets(topic: string): OutgoingRecord[][] {
  return Array.from({ length: SETS }, () => Array.from({ length: SET_SIZE }, () => makeRecord(topic)));
}
