// The commands of the contest, as they come over the bus: transfers to a bank from mixed accounts.
import { create, toBinary } from "@bufbuild/protobuf";
import { PlaceHoldRequestSchema, SettleHoldRequestSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { type ReceivedRecord, topicOf, writeHeaders } from "@ferry/platform/events";
import { newTraceparent } from "@ferry/platform/telemetry";

export interface Payer {
  id: string;
  ownerId: string;
}

/** A set: new transfers' holds, and the settling of those before. */
export interface CommandSet {
  records: ReceivedRecord[];
  /** How many of the records are of new transfers. */
  transfers: number;
}

const TOPIC = topicOf(PlaceHoldRequestSchema) ?? "";
export const REPLY_TOPIC = "ferry.transfer.replies.v1";

/** Makes sets one after the other; each settles what the one before it held. */
export class CommandMaker {
  readonly #payers: readonly Payer[];
  #held: { transferId: string; payer: Payer }[] = [];
  #offset = 0n;
  #payer = 0;

  constructor(payers: readonly Payer[]) {
    this.#payers = payers;
  }

  next(transfers: number): CommandSet {
    const settled = this.#held.map(({ transferId, payer }) => this.#settle(transferId, payer));
    this.#held = Array.from({ length: transfers }, () => ({
      transferId: newUuid(),
      payer: this.#payers[this.#payer++ % this.#payers.length]!,
    }));
    const placed = this.#held.map(({ transferId, payer }) => this.#place(transferId, payer));
    return { records: [...settled, ...placed], transfers };
  }

  #place(transferId: string, { id, ownerId }: Payer): ReceivedRecord {
    const message = create(PlaceHoldRequestSchema, {
      transferId,
      sourceAccountId: id,
      payerMemberId: ownerId,
      amount: { currency: "EUR", minorUnits: BigInt(1 + (this.#payer % 97)) },
    });
    const expiresAt = new Date(Date.now() + 60_000);
    const type = PlaceHoldRequestSchema.typeName;
    return this.#record(transferId, id, "place-hold", type, toBinary(PlaceHoldRequestSchema, message), expiresAt);
  }

  #settle(transferId: string, { id }: Payer): ReceivedRecord {
    const value = { bankCode: "081", accountNumber: "2200004321" };
    const message = create(SettleHoldRequestSchema, {
      transferId,
      sourceAccountId: id,
      destination: { case: "destinationBankAccount", value },
    });
    const bytes = toBinary(SettleHoldRequestSchema, message);
    return this.#record(transferId, id, "settle", SettleHoldRequestSchema.typeName, bytes);
  }

  #record(
    sagaId: string,
    key: string,
    sagaStep: string,
    type: string,
    value: Uint8Array,
    expiresAt?: Date,
  ): ReceivedRecord {
    const headers = writeHeaders({
      id: `${sagaId}:${sagaStep}:1`,
      ...{ type, sagaId, sagaStep, expiresAt, replyTo: REPLY_TOPIC },
      source: "ferry/transfer",
      time: new Date(),
      traceparent: newTraceparent(),
    });
    return { topic: TOPIC, partition: 0, offset: this.#offset++, key, value, headers };
  }
}
