import type { Transfer } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import {
  createBatcher,
  type Database,
  isMicros,
  isUuid,
  type Queryable,
  readPageToken,
  writePageToken,
} from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Saga } from "@ferry/platform/saga";
import { isAtRest, type TransferState } from "../domain/transfer.ts";
import { toTransferMessage } from "./transfer-message.ts";
import type { TransferRow } from "./transfer-row.ts";

const DEFAULT_PAGE_SIZE = 50;

interface TransferStore {
  findTransfers(from: Queryable, ids: readonly string[]): Promise<Map<string, TransferRow>>;
  listTransfers(
    from: Queryable,
    page: {
      memberId: string;
      state: TransferState | undefined;
      limit: number;
      after: readonly [string, string] | undefined;
    },
  ): Promise<{ transfer: TransferRow; position: readonly [string, string] }[]>;
}

interface SagaReader {
  find(from: Queryable, ids: readonly string[]): Promise<Map<string, Saga>>;
}

export interface ReadTransfersDeps {
  database: Database;
  store: TransferStore;
  sagas: SagaReader;
}

export interface ListRequest {
  memberId: string;
  state: TransferState | undefined;
  /** 0 means 50. */
  pageSize: number;
  pageToken: string;
}

/** Reads transfers as their member may see them. Concurrent reads of single transfers are gathered. */
export function createReadTransfers({ database, store, sagas }: ReadTransfersDeps) {
  async function read(ids: readonly string[]): Promise<({ row: TransferRow; saga: Saga | undefined } | undefined)[]> {
    const rows = await store.findTransfers(database, ids);
    const found = await sagas.find(database, ids); // Read after the rows: what has ended is never shown with a step that runs.
    return ids.map((id) => {
      const row = rows.get(id);
      return row === undefined ? undefined : { row, saga: found.get(id) };
    });
  }
  const batcher = createBatcher({ run: read });

  return {
    /** Those of the transfers that are at rest, whoever's they are. */
    async findAtRest(ids: readonly string[]): Promise<Transfer[]> {
      const found = await read(ids);
      return found.flatMap((each) =>
        each !== undefined && isAtRest(each.row.state) ? [toTransferMessage(each.row, each.saga)] : [],
      );
    },

    /** One transfer. @throws FerryError NOT_FOUND when there is none, or it is another's. */
    async get(memberId: string, id: string): Promise<Transfer> {
      const found = await batcher.add(id);
      if (found?.row.memberId !== memberId) throw new FerryError("NOT_FOUND", `no transfer ${id}`);
      return toTransferMessage(found.row, found.saga);
    },

    /** One page, newest first. @throws FerryError PAGE_TOKEN_INVALID. */
    async list(request: ListRequest): Promise<{ transfers: Transfer[]; nextPageToken: string }> {
      const { memberId, state } = request;
      const size = request.pageSize || DEFAULT_PAGE_SIZE;
      const query = `transfers ${memberId} ${state ?? ""}`;
      const after = readPageToken(query, request.pageToken, [isMicros, isUuid]);
      const rows = await store.listTransfers(database, { memberId, state, limit: size + 1, after });
      const page = rows.slice(0, size);
      const found = await sagas.find(
        database,
        page.map(({ transfer }) => transfer.id),
      );
      const last = rows.length > size ? page.at(-1) : undefined;
      return {
        transfers: page.map(({ transfer }) => toTransferMessage(transfer, found.get(transfer.id))),
        nextPageToken: last === undefined ? "" : writePageToken(query, last.position),
      };
    },
  };
}
