import { hash } from "node:crypto";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import {
  type CreateTransferRequest,
  CreateTransferRequestSchema,
  type Transfer,
  TransferService,
  TransferState as WireState,
} from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { encode } from "@ferry/platform/codec";
import { nameUuid } from "@ferry/platform/db";
import { invalidRequest } from "@ferry/platform/errors";
import { idempotencyKeyOf, memberIdOf, waitMsOf } from "@ferry/platform/rpc";
import type { Waiters } from "@ferry/platform/saga";
import { currentContext } from "@ferry/platform/telemetry";
import type { CreatedTransfer } from "../app/create-transfer.ts";
import type { ListRequest } from "../app/read-transfers.ts";
import type { CreateTransfer, NewTransfer } from "../app/transfer-row.ts";
import type { WatchTransfers } from "../app/watch-transfer.ts";
import { type Destination, isAtRest, type TransferState } from "../domain/transfer.ts";
import { destinationOf } from "./destination.ts";
import { watchTransferHandler } from "./watch-transfer.ts";

/** Names the UUIDs of transfers; made once, at random. */
const NAMESPACE = "5c1dd3f4-7c0b-4d0e-9d7f-0a5a3a0f6b11";
const CREATE = "ferry.transfer.v1.TransferService/CreateTransfer";

export interface TransferRoutesDeps {
  create(request: CreateTransfer): Promise<CreatedTransfer>;
  get(memberId: string, id: string): Promise<Transfer>;
  list(request: ListRequest): Promise<{ transfers: Transfer[]; nextPageToken: string }>;
  cancel(memberId: string, id: string): Promise<void>;
  waiters: Waiters<Transfer>;
  watch: WatchTransfers["watch"];
}

/** A UUID is the same in either case, so the request that is kept and compared has it in lower case. */
function normalized(request: CreateTransferRequest): CreateTransferRequest {
  const kind = request.destination?.kind;
  const destination = request.destination && {
    ...request.destination,
    kind: kind?.case === "accountId" ? { ...kind, value: kind.value.toLowerCase() } : request.destination.kind,
  };
  return { ...request, sourceAccountId: request.sourceAccountId.toLowerCase(), destination };
}

/** @throws FerryError INVALID_REQUEST for none. */
function getDestination({ destination }: CreateTransferRequest): Destination {
  const found = destinationOf(destination);
  if (found !== undefined) return found;
  throw invalidRequest([{ field: "destination", description: "must be an account or a bank account" }]);
}

function msOf(timestamp: Timestamp | undefined): number | undefined {
  return timestamp === undefined ? undefined : timestampMs(timestamp);
}

function newTransferOf(request: CreateTransferRequest, memberId: string, key: string): NewTransfer {
  return {
    id: nameUuid(NAMESPACE, `${memberId}\n${CREATE}\n${key}`),
    requestHash: hash("sha256", encode(CreateTransferRequestSchema, request), "buffer"),
    memberId,
    sourceAccountId: request.sourceAccountId,
    destination: getDestination(request),
    currency: request.amount?.currency ?? "",
    amountMinor: request.amount?.minorUnits ?? 0n,
    memo: request.memo,
    executeAtMs: msOf(request.executeTime),
    expireAtMs: msOf(request.expireTime),
  };
}

const STATE_NAMES = new Map(Object.entries(WireState).map(([name, number]) => [Number(number), name as TransferState]));

export function transferRoutes(deps: TransferRoutesDeps): (router: ConnectRouter) => void {
  const { create, get, list, cancel, waiters, watch } = deps;

  async function createTransfer(request: CreateTransferRequest, context: HandlerContext) {
    const memberId = memberIdOf(context);
    const transfer = newTransferOf(normalized(request), memberId, idempotencyKeyOf(context));
    const waitMs = waitMsOf(context);
    // Registered before the commit, so that the end cannot slip through between the record and the wait.
    const waiting = waitMs > 0 ? waiters.wait(transfer.id, waitMs) : undefined;
    try {
      const { transfer: row, replayed } = await create({ transfer, traceparent: currentContext().traceparent });
      const over = isAtRest(row.state) || row.state === "SCHEDULED"; // Nobody waits for a time that is far away.
      const ended = over ? undefined : await waiting?.done;
      return { transfer: ended ?? (await get(memberId, row.id)), replayed };
    } finally {
      waiting?.cancel();
    }
  }

  return (router) => {
    router.service(TransferService, {
      createTransfer,
      async getTransfer({ transferId }, context) {
        return { transfer: await get(memberIdOf(context), transferId.toLowerCase()) };
      },
      watchTransfer: watchTransferHandler(watch),
      listTransfers({ state, pageSize, pageToken }, context) {
        const wanted = state === WireState.UNSPECIFIED ? undefined : STATE_NAMES.get(Number(state));
        return list({ memberId: memberIdOf(context), state: wanted, pageSize, pageToken });
      },
      async cancelTransfer({ transferId }, context) {
        const memberId = memberIdOf(context);
        await cancel(memberId, transferId.toLowerCase());
        return { transfer: await get(memberId, transferId.toLowerCase()) };
      },
    });
  };
}
