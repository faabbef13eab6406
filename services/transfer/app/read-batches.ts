import type { TransferBatch, TransferBatchLineResult } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import {
  type Database,
  isMicros,
  isUuid,
  isWholeUpTo,
  type Queryable,
  readPageToken,
  writePageToken,
} from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { isBatchAtRest, type LineState } from "../domain/batch.ts";
import { toBatchMessage, toLineMessage } from "./batch-message.ts";
import type { BatchRow, LineCounts, LineRow } from "./batch-rows.ts";

const DEFAULT_PAGE_SIZE = 50;
const DEFAULT_LINES = 100;

interface BatchStore {
  findBatches(from: Queryable, ids: readonly string[]): Promise<Map<string, BatchRow>>;
  listBatches(
    from: Queryable,
    page: { memberId: string; limit: number; after: readonly [string, string] | undefined },
  ): Promise<{ batch: BatchRow; position: readonly [string, string] }[]>;
}

interface LineStore {
  countLines(from: Queryable, batchIds: readonly string[]): Promise<Map<string, LineCounts>>;
  listLines(
    from: Queryable,
    page: { batchId: string; state: LineState | undefined; after: number; limit: number },
  ): Promise<LineRow[]>;
}

export interface ReadBatchesDeps {
  database: Database;
  batches: BatchStore;
  lines: LineStore;
}

export interface ListLinesRequest {
  memberId: string;
  batchId: string;
  state: LineState | undefined;
  /** 0 means 100. */
  pageSize: number;
  pageToken: string;
}

const isLineNumber = isWholeUpTo(999_999n);

/** Reads batches as their member may see them. Counts are those of the moment until a batch has ended. */
export function createReadBatches({ database, batches, lines }: ReadBatchesDeps) {
  async function withCounts(rows: readonly BatchRow[]): Promise<TransferBatch[]> {
    const open = rows.filter(({ counts }) => counts === undefined).map(({ id }) => id);
    const counts = await lines.countLines(database, open);
    return rows.map((row) => toBatchMessage(row, row.counts ?? counts.get(row.id) ?? {}));
  }

  async function getRow(memberId: string, id: string): Promise<BatchRow> {
    const row = (await batches.findBatches(database, [id])).get(id);
    if (row?.memberId !== memberId) throw new FerryError("NOT_FOUND", `no batch ${id}`);
    return row;
  }

  return {
    /** Those of the batches in which nothing moves any more, whoever's they are. */
    async findAtRest(ids: readonly string[]): Promise<TransferBatch[]> {
      const rows = await batches.findBatches(database, ids);
      return withCounts([...rows.values()].filter(({ state }) => isBatchAtRest(state)));
    },

    /** One batch. @throws FerryError NOT_FOUND when there is none, or it is another's. */
    async get(memberId: string, id: string): Promise<TransferBatch> {
      const [batch] = await withCounts([await getRow(memberId, id)]);
      return batch!;
    },

    /** One page of batches, newest first. @throws FerryError PAGE_TOKEN_INVALID. */
    async list({ memberId, pageSize, pageToken }: { memberId: string; pageSize: number; pageToken: string }) {
      const size = pageSize || DEFAULT_PAGE_SIZE;
      const query = `transfer-batches ${memberId}`;
      const after = readPageToken(query, pageToken, [isMicros, isUuid]);
      const rows = await batches.listBatches(database, { memberId, limit: size + 1, after });
      const page = rows.slice(0, size);
      const last = rows.length > size ? page.at(-1) : undefined;
      return {
        batches: await withCounts(page.map(({ batch }) => batch)),
        nextPageToken: last === undefined ? "" : writePageToken(query, last.position),
      };
    },

    /** One page of lines, in their order. @throws FerryError NOT_FOUND, PAGE_TOKEN_INVALID. */
    async listLines(request: ListLinesRequest): Promise<{ lines: TransferBatchLineResult[]; nextPageToken: string }> {
      const { batchId, state, pageSize, pageToken } = request;
      const size = pageSize || DEFAULT_LINES;
      const query = `transfer-batch-lines ${batchId} ${state ?? ""}`;
      const after = Number(readPageToken(query, pageToken, [isLineNumber])?.[0] ?? 0);
      await getRow(request.memberId, batchId);
      const rows = await lines.listLines(database, { batchId, state, after, limit: size + 1 });
      const page = rows.slice(0, size);
      const last = rows.length > size ? page.at(-1) : undefined;
      return {
        lines: page.map(toLineMessage),
        nextPageToken: last === undefined ? "" : writePageToken(query, [String(last.line)]),
      };
    },
  };
}
