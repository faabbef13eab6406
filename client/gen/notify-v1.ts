// Made by `npm run generate` from the contracts; do not edit.
import type { Call, PagedCall } from "../calls.ts";

export interface CreateWebhookEndpointRequest {
  /** Where events are sent by POST. In production https, at an address that the internet can reach. */
  url: string;
  /** The event types to be sent, as "transfer.completed"; none: all. */
  eventTypes?: readonly string[];
  /** For the caller's own use. */
  description?: string;
}

export interface CreateWebhookEndpointResponse {
  endpoint: WebhookEndpoint;
  /** Signs what is sent: "whsec_" and 32 random bytes in base64. */
  secret: string;
}

export interface DeleteWebhookEndpointRequest {
  endpointId: string;
}

export interface DeleteWebhookEndpointResponse {
}

/** One try to deliver. */
export interface DeliveryAttempt {
  startTime?: string;
  /** How long the endpoint took to answer, in milliseconds. */
  durationMs: number;
  /** The status that it answered; 0 when it did not. */
  httpStatus: number;
  /** What went wrong, in a few words; empty when the status says it. */
  problem: string;
}

export type DeliveryState =
  | "DELIVERY_STATE_UNSPECIFIED"
  /** It is sent now, or tried again later, or waits for an earlier one about the same subject. */
  | "DELIVERY_STATE_PENDING"
  /** The endpoint answered 2xx. */
  | "DELIVERY_STATE_DELIVERED"
  /** It was tried as often as it may be, or its endpoint was disabled. */
  | "DELIVERY_STATE_DEAD";

/** Why an endpoint was disabled. */
export type DisableReason =
  | "DISABLE_REASON_UNSPECIFIED"
  /** It answered 410 Gone. */
  | "DISABLE_REASON_GONE"
  /** No delivery to it has succeeded for days. */
  | "DISABLE_REASON_FAILING"
  /** More deliveries waited for it than may. */
  | "DISABLE_REASON_BACKLOG";

export interface EnableWebhookEndpointRequest {
  endpointId: string;
}

export interface EnableWebhookEndpointResponse {
  endpoint: WebhookEndpoint;
}

export type EndpointState =
  | "ENDPOINT_STATE_UNSPECIFIED"
  /** Events are sent to it. */
  | "ENDPOINT_STATE_ENABLED"
  /** Nothing is sent to it, until it is enabled again. */
  | "ENDPOINT_STATE_DISABLED";

export interface GetWebhookDeliveryRequest {
  deliveryId: string;
}

export interface GetWebhookDeliveryResponse {
  delivery: WebhookDelivery;
  /** What is sent, as it is signed: JSON text. */
  body: string;
}

export interface GetWebhookEndpointRequest {
  endpointId: string;
}

export interface GetWebhookEndpointResponse {
  endpoint: WebhookEndpoint;
}

export interface ListWebhookDeliveriesRequest {
  endpointId: string;
  /** Only deliveries in this state; unspecified: all. */
  state?: DeliveryState;
  /** 1 to 200; 0 means 50. */
  pageSize?: number;
  pageToken?: string;
}

export interface ListWebhookDeliveriesResponse {
  deliveries: WebhookDelivery[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface ListWebhookEndpointsRequest {
}

export interface ListWebhookEndpointsResponse {
  endpoints: WebhookEndpoint[];
}

export interface RedriveWebhookDeliveriesRequest {
  endpointId: string;
}

export interface RedriveWebhookDeliveriesResponse {
  /** How many were set on their way; when it is 1,000 there may be more. */
  redrivenCount: number;
}

export interface RedriveWebhookDeliveryRequest {
  deliveryId: string;
}

export interface RedriveWebhookDeliveryResponse {
  delivery: WebhookDelivery;
}

export interface RotateWebhookSecretRequest {
  endpointId: string;
}

export interface RotateWebhookSecretResponse {
  endpoint: WebhookEndpoint;
  /** The new secret. */
  secret: string;
}

export interface TestWebhookEndpointRequest {
  endpointId: string;
}

export interface TestWebhookEndpointResponse {
  delivery: WebhookDelivery;
}

export interface WebhookDelivery {
  /** UUID. */
  id: string;
  endpointId: string;
  /** UUID of the event, sent as webhook-id: the same in each attempt, and for each endpoint. */
  eventId: string;
  /** As "transfer.completed". */
  eventType: string;
  /** What the event is about, as a transfer's id: deliveries about one subject are sent in order. */
  subject: string;
  state: DeliveryState;
  /** How often it was tried, since it was redriven last. */
  attemptCount: number;
  /** The latest attempts, at most 20, oldest first. */
  attempts: DeliveryAttempt[];
  /** When it is tried next; absent when it is not, or waits for an earlier one. */
  nextAttemptTime?: string;
  createTime?: string;
  /** When it was delivered or given up. */
  endTime?: string;
}

export interface WebhookEndpoint {
  /** UUID. */
  id: string;
  url: string;
  /** The event types that are sent to it, as "transfer.completed"; empty: all. */
  eventTypes: string[];
  description: string;
  state: EndpointState;
  /** With DISABLED. */
  disableReason: DisableReason;
  /** With DISABLED. */
  disableTime?: string;
  /** Since when each attempt failed; absent while they succeed. */
  failingSince?: string;
  /**
   * Until then what is sent is signed with the secret before the present one too; absent when there is none.
   */
  previousSecretExpireTime?: string;
  createTime?: string;
  updateTime?: string;
}

export interface WebhookCalls {
  /**
   * Makes an endpoint, to which events of the caller's are sent from now on. The answer shows the secret that
   * signs them; it is shown this once. Errors: INVALID_REQUEST (an URL that may not be called, an event type that
   * does not exist), WEBHOOK_ENDPOINT_LIMIT.
   *
   * `POST /v1/webhook-endpoints`
   */
  createWebhookEndpoint: Call<CreateWebhookEndpointRequest, CreateWebhookEndpointResponse>;
  /**
   * Lists the caller's endpoints, oldest first; there are few, so all of them.
   *
   * `GET /v1/webhook-endpoints`
   */
  listWebhookEndpoints: Call<ListWebhookEndpointsRequest, ListWebhookEndpointsResponse>;
  /**
   * Tells one endpoint of the caller's. Errors: NOT_FOUND, for another's too.
   *
   * `GET /v1/webhook-endpoints/{endpoint_id}`
   */
  getWebhookEndpoint: Call<GetWebhookEndpointRequest, GetWebhookEndpointResponse>;
  /**
   * Takes an endpoint away, with all of its deliveries. What is under way to it may still arrive. Errors:
   * NOT_FOUND.
   *
   * `DELETE /v1/webhook-endpoints/{endpoint_id}`
   */
  deleteWebhookEndpoint: Call<DeleteWebhookEndpointRequest, DeleteWebhookEndpointResponse>;
  /**
   * Gives an endpoint a new secret, shown this once. Until previous_secret_expire_time what is sent is signed with
   * both, so that receivers can change over. Errors: NOT_FOUND.
   *
   * `POST /v1/webhook-endpoints/{endpoint_id}:rotate-secret`
   */
  rotateWebhookSecret: Call<RotateWebhookSecretRequest, RotateWebhookSecretResponse>;
  /**
   * Sends an event of the type "ping" to an endpoint: the delivery, which is on its way when the answer comes.
   * Errors: NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED, WEBHOOK_BACKLOG.
   *
   * `POST /v1/webhook-endpoints/{endpoint_id}:test`
   */
  testWebhookEndpoint: Call<TestWebhookEndpointRequest, TestWebhookEndpointResponse>;
  /**
   * Enables an endpoint that was disabled. Events of the meantime are not sent; its dead deliveries can be
   * redriven. Enabling twice changes nothing. Errors: NOT_FOUND.
   *
   * `POST /v1/webhook-endpoints/{endpoint_id}:enable`
   */
  enableWebhookEndpoint: Call<EnableWebhookEndpointRequest, EnableWebhookEndpointResponse>;
  /**
   * Lists the deliveries to one endpoint of the caller's, newest first. Errors: NOT_FOUND, PAGE_TOKEN_INVALID.
   *
   * `GET /v1/webhook-endpoints/{endpoint_id}/deliveries`
   */
  listWebhookDeliveries: PagedCall<ListWebhookDeliveriesRequest, ListWebhookDeliveriesResponse, ListWebhookDeliveriesResponse["deliveries"][number]>;
  /**
   * Tells one delivery of the caller's, with the body that is sent. Errors: NOT_FOUND.
   *
   * `GET /v1/webhook-deliveries/{delivery_id}`
   */
  getWebhookDelivery: Call<GetWebhookDeliveryRequest, GetWebhookDeliveryResponse>;
  /**
   * Sets a dead delivery on its way once more, with a schedule of its own and the same webhook-id. Redriving one
   * that is on its way changes nothing. Errors: NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED, WEBHOOK_DELIVERED,
   * WEBHOOK_BACKLOG.
   *
   * `POST /v1/webhook-deliveries/{delivery_id}:redrive`
   */
  redriveWebhookDelivery: Call<RedriveWebhookDeliveryRequest, RedriveWebhookDeliveryResponse>;
  /**
   * Sets dead deliveries to an endpoint on their way once more, oldest first, at most 1,000 by one call, and no
   * more than may wait. Errors: NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED, WEBHOOK_BACKLOG.
   *
   * `POST /v1/webhook-endpoints/{endpoint_id}/deliveries:redrive`
   */
  redriveWebhookDeliveries: Call<RedriveWebhookDeliveriesRequest, RedriveWebhookDeliveriesResponse>;
}
