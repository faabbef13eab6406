import {
  type Transfer,
  TransferCanceledSchema,
  TransferCompletedSchema,
  TransferFailedSchema,
  TransferState as WireState,
} from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { create } from "@ferry/platform/codec";
import type { OutgoingMessage } from "@ferry/platform/outbox";

/** The event of a transfer that has come to an end; undefined where it has not. */
export function eventOf(
  transfer: Transfer,
  { memberId, version, traceparent }: { memberId: string; version: bigint; traceparent: string | undefined },
): OutgoingMessage | undefined {
  const { id } = transfer;
  const content = { transferId: id, memberId, transfer, version };
  const facts = { id: `${id}:${version}`, traceparent };
  switch (transfer.state) {
    case WireState.COMPLETED:
      return { ...facts, schema: TransferCompletedSchema, message: create(TransferCompletedSchema, content) };
    case WireState.FAILED:
      return { ...facts, schema: TransferFailedSchema, message: create(TransferFailedSchema, content) };
    case WireState.CANCELED:
      return { ...facts, schema: TransferCanceledSchema, message: create(TransferCanceledSchema, content) };
    default:
      return undefined;
  }
}
