import { hash } from "node:crypto";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import {
  type CreateTransferBatchRequest,
  CreateTransferBatchRequestSchema,
  type TransferBatch,
  type TransferBatchLine,
  type TransferBatchLineResult,
  TransferBatchLineState,
  TransferBatchMode,
  TransferBatchService,
  TransferBatchState,
} from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { encode } from "@ferry/platform/codec";
import { nameUuid } from "@ferry/platform/db";
import { invalidRequest } from "@ferry/platform/errors";
import { idempotencyKeyOf, memberIdOf, waitMsOf } from "@ferry/platform/rpc";
import type { Waiters } from "@ferry/platform/saga";
import type { CreateBatch } from "../app/create-batch.ts";
import type { ListLinesRequest } from "../app/read-batches.ts";
import { type BatchState, isBatchAtRest, type LineState } from "../domain/batch.ts";
import { readBatchCsv } from "../domain/batch-csv.ts";
import type { BatchLine } from "../domain/batch-line.ts";
import { destinationOf } from "./destination.ts";

/** Names the UUIDs of batches; made once, at random. */
const NAMESPACE = "9e0f4d5b-64a1-4f0a-8b6e-3b1f5f2f7c02";
const CREATE = "ferry.transfer.v1.TransferBatchService/CreateTransferBatch";

/** Names of states by their numbers; of what is unspecified there is none. */
function namesOf<Name extends string>(numbers: Record<string, unknown>): ReadonlyMap<number, Name> {
  const names = Object.entries(numbers).map(([name, number]) => [Number(number), name as Name] as const);
  return new Map(names.filter(([number]) => number !== 0));
}

const BATCH_STATES = namesOf<BatchState>(TransferBatchState);
const LINE_STATES = namesOf<LineState>(TransferBatchLineState);

export interface BatchRoutesDeps {
  create(request: CreateBatch): Promise<{ replayed: boolean }>;
  get(memberId: string, id: string): Promise<TransferBatch>;
  list(request: {
    memberId: string;
    pageSize: number;
    pageToken: string;
  }): Promise<{ batches: TransferBatch[]; nextPageToken: string }>;
  listLines(request: ListLinesRequest): Promise<{ lines: TransferBatchLineResult[]; nextPageToken: string }>;
  cancel(memberId: string, id: string): Promise<void>;
  waiters: Waiters<TransferBatch>;
}

function msOf(timestamp: Timestamp | undefined): number | undefined {
  return timestamp === undefined ? undefined : timestampMs(timestamp);
}

function lineOf(wanted: TransferBatchLine, index: number): BatchLine {
  return {
    line: index + 1,
    reference: wanted.reference,
    sourceAccountId: wanted.sourceAccountId.toLowerCase(),
    destination: destinationOf(wanted.destination),
    currency: wanted.amount?.currency ?? "",
    amountMinor: wanted.amount?.minorUnits,
    memo: wanted.memo,
  };
}

/** @throws FerryError INVALID_REQUEST when there are none, or both kinds of them. */
function readLines({ lines, csv }: CreateTransferBatchRequest): readonly BatchLine[] {
  if (lines.length > 0 && csv.length > 0)
    throw invalidRequest([{ field: "csv", description: "must be empty when there are lines" }]);
  if (csv.length > 0) return readBatchCsv(csv);
  if (lines.length === 0) throw invalidRequest([{ field: "lines", description: "must have at least one line" }]);
  return lines.map(lineOf);
}

function createBatchOf(request: CreateTransferBatchRequest, memberId: string, key: string): CreateBatch {
  const { sourceAccountId, mode } = request;
  return {
    id: nameUuid(NAMESPACE, `${memberId}\n${CREATE}\n${key}`),
    memberId,
    requestHash: hash("sha256", encode(CreateTransferBatchRequestSchema, request), "buffer"),
    mode: mode === TransferBatchMode.ALL_OR_NOTHING ? "ALL_OR_NOTHING" : "BEST_EFFORT",
    sourceAccountId: sourceAccountId === "" ? undefined : sourceAccountId.toLowerCase(),
    executeAtMs: msOf(request.executeTime),
    expireAtMs: msOf(request.expireTime),
    readLines: () => readLines(request),
  };
}

/** Whether there is something to wait for: not in a batch that begins later, nor in one in which nothing moves. */
function isOver({ state }: TransferBatch): boolean {
  const name = BATCH_STATES.get(Number(state));
  return name === undefined || name === "SCHEDULED" || isBatchAtRest(name);
}

export function batchRoutes(deps: BatchRoutesDeps): (router: ConnectRouter) => void {
  const { create, get, list, listLines, cancel, waiters } = deps;

  async function createTransferBatch(request: CreateTransferBatchRequest, context: HandlerContext) {
    const memberId = memberIdOf(context);
    const wanted = createBatchOf(request, memberId, idempotencyKeyOf(context));
    const waitMs = waitMsOf(context);
    // Registered before the commit, so that the end cannot slip through between the record and the wait.
    const waiting = waitMs > 0 ? waiters.wait(wanted.id, waitMs) : undefined;
    try {
      const { replayed } = await create(wanted);
      const recorded = await get(memberId, wanted.id);
      if (waiting === undefined || isOver(recorded)) return { batch: recorded, replayed };
      return { batch: (await waiting.done) ?? (await get(memberId, wanted.id)), replayed };
    } finally {
      waiting?.cancel();
    }
  }

  return (router) => {
    router.service(TransferBatchService, {
      createTransferBatch,
      async getTransferBatch({ batchId }, context) {
        return { batch: await get(memberIdOf(context), batchId.toLowerCase()) };
      },
      listTransferBatches({ pageSize, pageToken }, context) {
        return list({ memberId: memberIdOf(context), pageSize, pageToken });
      },
      listTransferBatchLines({ batchId, state, pageSize, pageToken }, context) {
        const memberId = memberIdOf(context);
        const wanted = LINE_STATES.get(Number(state));
        return listLines({ memberId, batchId: batchId.toLowerCase(), state: wanted, pageSize, pageToken });
      },
      async cancelTransferBatch({ batchId }, context) {
        const memberId = memberIdOf(context);
        await cancel(memberId, batchId.toLowerCase());
        return { batch: await get(memberId, batchId.toLowerCase()) };
      },
    });
  };
}
