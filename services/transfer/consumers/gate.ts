import { getOption } from "@bufbuild/protobuf";
import { message as messagePolicy } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { type AwaitBatchRequest, AwaitBatchRequestSchema } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { type Bus, consume, type Envelope, type Subscription } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import type { AtGate } from "../app/answer-gate.ts";

/** Where the contract says that transfer's own commands go. */
const topic = getOption(AwaitBatchRequestSchema, messagePolicy).topic;

export interface GateOptions {
  bus: Bus;
  answerGate(set: readonly AtGate[]): Promise<void>;
}

/** Takes lines that have come to the gates of their batches. A question never expires: its answer is the batch's. */
export function createGateConsumer({ bus, answerGate }: GateOptions): Component {
  let subscription: Subscription | undefined;

  function handle(set: readonly Envelope<AwaitBatchRequest>[]): Promise<void> {
    return answerGate(
      set.map(({ message: { transferId, batchId, line }, traceparent }) => ({
        ...{ transferId, batchId, line, traceparent },
      })),
    );
  }

  return {
    name: "gate",
    async start() {
      const schemas = [AwaitBatchRequestSchema] as const;
      subscription = await consume(bus, { group: "transfer-commands", topics: [topic], schemas, handle });
    },
    async stop() {
      await subscription?.stop();
      subscription = undefined;
    },
    unready: () => (subscription === undefined ? "not consuming" : subscription.unready()),
  };
}
