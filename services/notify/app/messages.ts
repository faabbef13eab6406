import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  DeliveryState,
  DisableReason,
  EndpointState,
  type WebhookDelivery,
  WebhookDeliverySchema,
  type WebhookEndpoint,
  WebhookEndpointSchema,
} from "@ferry/gen/ferry/notify/v1/notify_pb.ts";
import { create } from "@ferry/platform/codec";
import type { DeliveryRow, EndpointRow, DeliveryState as StoredState } from "./rows.ts";

const STATES: ReadonlyMap<number, StoredState> = new Map([
  [DeliveryState.PENDING, "PENDING"],
  [DeliveryState.DELIVERED, "DELIVERED"],
  [DeliveryState.DEAD, "DEAD"],
]);

const timestampOf = (time: Date | undefined) => (time === undefined ? undefined : timestampFromDate(time));

/** The endpoint as the contract shows it: never its secrets. */
export function toEndpointMessage(row: EndpointRow): WebhookEndpoint {
  return create(WebhookEndpointSchema, {
    id: row.id,
    url: row.url,
    eventTypes: [...row.eventTypes],
    description: row.description,
    state: EndpointState[row.state],
    disableReason: row.disableReason === undefined ? DisableReason.UNSPECIFIED : DisableReason[row.disableReason],
    disableTime: timestampOf(row.disabledAt),
    failingSince: timestampOf(row.failingSince),
    previousSecretExpireTime: timestampOf(row.previousSecretUntil),
    createTime: timestampFromDate(row.createdAt),
    updateTime: timestampFromDate(row.updatedAt),
  });
}

/** The state that a request names; undefined when it names none. */
export function stateOf(state: number): StoredState | undefined {
  return STATES.get(state);
}

/** The delivery as the contract shows it. */
export function toDeliveryMessage(row: DeliveryRow): WebhookDelivery {
  return create(WebhookDeliverySchema, {
    id: row.id,
    endpointId: row.endpointId,
    eventId: row.eventId,
    eventType: row.eventType,
    subject: row.subject,
    state: DeliveryState[row.state],
    attemptCount: row.attemptCount,
    attempts: row.attempts.map(({ at, durationMs, status, problem }) => ({
      startTime: timestampFromDate(new Date(at)),
      durationMs,
      httpStatus: status,
      problem,
    })),
    nextAttemptTime: timestampOf(row.nextAttemptAt),
    createTime: timestampFromDate(row.createdAt),
    endTime: timestampOf(row.endedAt),
  });
}
