import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { type ParkedSaga, ParkedSagaSchema, ParkedSagaService } from "@ferry/gen/ferry/saga/v1/saga_pb.ts";
import { isUuid, isWholeUpTo, type Queryable, readPageToken, writePageToken } from "@ferry/platform/db";
import { principalOf } from "@ferry/platform/rpc";
import { toSagaDetail } from "./detail.ts";
import { writeJson } from "./json.ts";
import type { OperatorAction, SagaOperators } from "./operators.ts";
import { type Saga, stepNameOf } from "./saga.ts";
import type { ParkedCursor } from "./store.ts";

const DEFAULT_PAGE_SIZE = 50;
const LIST = "parked-sagas";
/** Up to the year 5138, which Date still holds. */
const isMillis = isWholeUpTo(99_999_999_999_999n);

function toParkedSaga(saga: Saga): ParkedSaga {
  const { id, definition, version, status, attempts, waiting, state, createdAtMs } = saga;
  const parked = waiting.for === "operator" ? waiting : undefined;
  return create(ParkedSagaSchema, {
    ...{ id, definition, version, attempts },
    state: status,
    step: stepNameOf(saga),
    reason: parked?.reason ?? saga.failure,
    data: writeJson(state),
    createTime: timestampFromMs(createdAtMs),
    parentId: saga.parent?.id ?? "",
    parkTime: parked === undefined ? undefined : timestampFromMs(parked.sinceMs),
  });
}

/** @throws FerryError PAGE_TOKEN_INVALID. */
function cursorOf(pageToken: string): ParkedCursor | undefined {
  const keys = readPageToken(LIST, pageToken, [isMillis, isUuid]);
  return keys === undefined ? undefined : { parkedAtMs: Number(keys[0]), id: keys[1] };
}

/** Serves what operators see of sagas, and do about parked ones. Who may call is in the contract's options. */
export function parkedSagaRoutes(router: ConnectRouter, queryable: Queryable, operators: SagaOperators): void {
  const operate =
    (action: OperatorAction) =>
    async ({ sagaId, reason }: { sagaId: string; reason: string }, context: HandlerContext) => {
      const { id: operatorId } = principalOf(context);
      return { saga: toParkedSaga(await operators.operate(action, sagaId.toLowerCase(), { operatorId, reason })) };
    };
  router.service(ParkedSagaService, {
    async listParkedSagas({ pageSize, pageToken }) {
      const size = pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize;
      const found = await operators.listParked(queryable, size + 1, cursorOf(pageToken));
      const page = found.slice(0, size);
      const last = found.length > size ? page.at(-1) : undefined;
      const next = last?.waiting.for === "operator" ? [String(last.waiting.sinceMs), last.id] : undefined;
      return {
        sagas: page.map(toParkedSaga),
        nextPageToken: next === undefined ? "" : writePageToken(LIST, next),
      };
    },
    async getSaga({ sagaId }) {
      return { saga: toSagaDetail(await operators.look(queryable, sagaId.toLowerCase())) };
    },
    resumeSaga: operate("resume"),
    undoSaga: operate("undo"),
    skipSagaStep: operate("skip"),
  });
}
