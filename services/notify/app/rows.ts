import type { DisableReason, EndpointRequest, EndpointState } from "../domain/endpoint.ts";

/** An endpoint as its member sees it. */
export interface EndpointRow extends EndpointRequest {
  id: string;
  memberId: string;
  state: EndpointState;
  disableReason: DisableReason | undefined;
  disabledAt: Date | undefined;
  failingSince: Date | undefined;
  /** Only while the previous secret still signs. */
  previousSecretUntil: Date | undefined;
  createdAt: Date;
  updatedAt: Date;
}

export type DeliveryState = "PENDING" | "DELIVERED" | "DEAD";

/** One try to deliver, as it is kept. */
export interface Attempt {
  /** RFC 3339. */
  at: string;
  durationMs: number;
  /** 0 when the endpoint did not answer. */
  status: number;
  /** Empty when the status says it. */
  problem: string;
}

export interface DeliveryRow {
  id: string;
  seq: bigint;
  endpointId: string;
  eventId: string;
  eventType: string;
  subject: string;
  body: string;
  state: DeliveryState;
  attemptCount: number;
  attempts: readonly Attempt[];
  /** Undefined when it is not tried, or waits for an earlier one. */
  nextAttemptAt: Date | undefined;
  createdAt: Date;
  endedAt: Date | undefined;
}

/** A delivery that is about to be recorded. */
export interface NewDelivery {
  /** Made from event and endpoint, so that an event that comes again adds nothing. */
  id: string;
  endpointId: string;
  eventId: string;
  eventType: string;
  subject: string;
  version: bigint;
  body: string;
}
