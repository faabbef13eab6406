import type { Batch, LineState } from "../domain/batch.ts";
import type { BatchLine, LineFailure, LineVerdict } from "../domain/batch-line.ts";

/** A batch that is about to be recorded, with what was judged of its lines. */
export interface NewBatch extends Omit<Batch, "verdict" | "swept"> {
  /** SHA-256 of the request as it was decoded. */
  requestHash: Uint8Array;
  /** Of the lines that name none; undefined when the batch names none. */
  sourceAccountId: string | undefined;
  createdAt: Date;
  lines: readonly LineVerdict[];
}

/** A batch as it is recorded. */
export interface BatchRow extends Batch {
  requestHash: Uint8Array;
  sourceAccountId: string | undefined;
  lineCount: number;
  createdAt: Date;
  endedAt: Date | undefined;
  /** Once it has ended. */
  counts: LineCounts | undefined;
}

/** Lines by state; states without lines are left out. */
export type LineCounts = Partial<Record<LineState, number>>;

/** A line as it is recorded. */
export interface LineRow extends BatchLine {
  state: LineState;
  failure: LineFailure | undefined;
  transferId: string | undefined;
}

/** What becomes of a line. */
export interface LineChange {
  batchId: string;
  line: number;
  state: LineState;
  failure: { code: string; message: string } | undefined;
}

/** Work that has its time. */
export interface DueWork {
  id: string;
  kind: "begin-transfer" | "expire-transfer" | "advance-batch";
  dueAtMs: number;
}
