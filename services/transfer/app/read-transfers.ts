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
import { isAtRest, isUnderWay, STATES_UNDER_WAY, type TransferState } from "../domain/transfer.ts";
import { toTransferMessage } from "./transfer-message.ts";
import type { TransferRow } from "./transfer-row.ts";
import type { Standing, Standings } from "./transfer-standing.ts";

const DEFAULT_PAGE_SIZE = 50;
/** Looks for one page: of many that are on their way, few may be in the state that is asked for. */
const MAX_LOOKS = 20;

type Position = readonly [time: string, id: string];

interface TransferStore {
  listTransfers(
    from: Queryable,
    page: {
      memberId: string;
      states: readonly TransferState[] | undefined;
      limit: number;
      after: Position | undefined;
    },
  ): Promise<{ transfer: TransferRow; position: Position }[]>;
}

export interface ReadTransfersDeps {
  database: Database;
  store: TransferStore;
  standings: Standings;
}

export interface ListRequest {
  memberId: string;
  state: TransferState | undefined;
  /** 0 means 50. */
  pageSize: number;
  pageToken: string;
}

/** The states that rows may have whose transfers stand in this one. */
function recordedAs(state: TransferState | undefined): readonly TransferState[] | undefined {
  if (state === undefined) return undefined;
  return isUnderWay(state) ? STATES_UNDER_WAY : [state];
}

/** Reads transfers as their member may see them. Concurrent reads of single transfers are gathered. */
export function createReadTransfers({ database, store, standings }: ReadTransfersDeps) {
  const batcher = createBatcher<string, Standing | undefined>({
    async run(ids) {
      const found = await standings.find(database, ids);
      return ids.map((id) => found.get(id));
    },
  });

  return {
    /** Those of the transfers that are at rest, whoever's they are. */
    async findAtRest(ids: readonly string[]): Promise<Transfer[]> {
      const found = await standings.find(database, ids);
      return [...found.values()].flatMap(({ row, saga }) =>
        isAtRest(row.state) ? [toTransferMessage(row, saga)] : [],
      );
    },

    /** One transfer. @throws FerryError NOT_FOUND when there is none, or it is another's. */
    async get(memberId: string, id: string): Promise<Transfer> {
      const found = await batcher.add(id);
      if (found?.row.memberId !== memberId) throw new FerryError("NOT_FOUND", `no transfer ${id}`);
      return toTransferMessage(found.row, found.saga);
    },

    /**
     * One page, newest first. Of one state on the way it may be short, or empty, though there are more: as long as
     * it has a token, the next one goes on.
     *
     * @throws FerryError PAGE_TOKEN_INVALID.
     */
    async list(request: ListRequest): Promise<{ transfers: Transfer[]; nextPageToken: string }> {
      const { memberId, state } = request;
      const size = request.pageSize || DEFAULT_PAGE_SIZE;
      const query = `transfers ${memberId} ${state ?? ""}`;
      const states = recordedAs(state);
      const found: { standing: Standing; position: Position }[] = [];
      let more = true;
      let after = readPageToken(query, request.pageToken, [isMicros, isUuid]) as Position | undefined;
      for (let look = 0; more && found.length <= size && look < MAX_LOOKS; look++) {
        const rows = await store.listTransfers(database, { memberId, states, limit: size + 1, after });
        const standing = await standings.standingOf(
          database,
          rows.map(({ transfer }) => transfer),
        );
        for (const { transfer, position } of rows) {
          const each = standing.get(transfer.id);
          if (each !== undefined && (state === undefined || each.row.state === state))
            found.push({ standing: each, position });
        }
        more = rows.length > size;
        after = rows.at(-1)?.position ?? after;
      }
      const page = found.slice(0, size);
      const last = found.length > size ? page.at(-1)?.position : more ? after : undefined;
      return {
        transfers: page.map(({ standing: { row, saga } }) => toTransferMessage(row, saga)),
        nextPageToken: last === undefined ? "" : writePageToken(query, last),
      };
    },
  };
}
