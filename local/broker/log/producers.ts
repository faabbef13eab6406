import { ErrorCode } from "../protocol/error-codes.ts";
import type { BatchHeader } from "../protocol/record-batch.ts";

/** As many batches as an idempotent producer may have in flight to a partition, as in Apache Kafka. */
const REMEMBERED_BATCHES = 5;
const SEQUENCE_MODULUS = 2 ** 31;

interface RememberedBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
}

interface ProducerState {
  epoch: number;
  /** Oldest first, never empty. */
  batches: RememberedBatch[];
}

export type SequenceDecision =
  | { kind: "append" }
  | { kind: "duplicate"; baseOffset: number }
  | { kind: "refused"; error: ErrorCode };

/**
 * The idempotent producers of one partition: a batch sent twice is stored once, and a gap is refused.
 *
 * A producer that is not known may begin anywhere, as in Apache Kafka: retention or the limit may have made the
 * broker forget it. The limit drops the producers that have been silent longest.
 */
export class Producers {
  readonly #states = new Map<number, ProducerState>();
  readonly #maxProducers: number;

  constructor(maxProducers: number) {
    this.#maxProducers = maxProducers;
  }

  decide(header: BatchHeader): SequenceDecision {
    const state = this.#states.get(header.producerId);
    if (header.producerId < 0 || state === undefined) return { kind: "append" };
    if (header.producerEpoch < state.epoch) return { kind: "refused", error: ErrorCode.INVALID_PRODUCER_EPOCH };
    const outOfOrder: SequenceDecision = { kind: "refused", error: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER };
    if (header.producerEpoch > state.epoch) return header.baseSequence === 0 ? { kind: "append" } : outOfOrder;
    const lastSequence = lastSequenceOf(header);
    const known = state.batches.find(
      (batch) => batch.firstSequence === header.baseSequence && batch.lastSequence === lastSequence,
    );
    if (known !== undefined) return { kind: "duplicate", baseOffset: known.baseOffset };
    const expected = (state.batches.at(-1)!.lastSequence + 1) % SEQUENCE_MODULUS;
    return header.baseSequence === expected ? { kind: "append" } : outOfOrder;
  }

  /** Remembers a batch that was stored; also called for each batch found at start. */
  record(header: BatchHeader): void {
    if (header.producerId < 0) return;
    const batch = {
      firstSequence: header.baseSequence,
      lastSequence: lastSequenceOf(header),
      baseOffset: header.baseOffset,
    };
    const state = this.#states.get(header.producerId);
    this.#states.delete(header.producerId); // and set again, so that the map is ordered by last use
    if (state === undefined || state.epoch !== header.producerEpoch) {
      this.#states.set(header.producerId, { epoch: header.producerEpoch, batches: [batch] });
    } else {
      state.batches.push(batch);
      if (state.batches.length > REMEMBERED_BATCHES) state.batches.shift();
      this.#states.set(header.producerId, state);
    }
    if (this.#states.size > this.#maxProducers) {
      const [silentLongest] = this.#states.keys();
      this.#states.delete(silentLongest!);
    }
  }
}

function lastSequenceOf(header: BatchHeader): number {
  return (header.baseSequence + header.recordCount - 1) % SEQUENCE_MODULUS;
}
