import type { Component, Service, ServiceParts } from "@ferry/platform/lifecycle";
import { createDeliver, type Taken } from "./app/deliver.ts";
import { createDispatch } from "./app/dispatch.ts";
import { createManageDeliveries } from "./app/manage-deliveries.ts";
import { createManageEndpoints } from "./app/manage-endpoints.ts";
import { createRecordEvents } from "./app/record-events.ts";
import { createHttpSender } from "./clients/http-sender.ts";
import { isPublicAddress } from "./clients/public-address.ts";
import { newSecret, secretText, signatureHeader } from "./clients/signature.ts";
import type { NotifyConfig } from "./config.ts";
import { readEventTypes } from "./consumers/event-types.ts";
import { createEvents } from "./consumers/events.ts";
import { isSuccess } from "./domain/attempt.ts";
import { showWebhooks } from "./metrics.ts";
import { webhookRoutes } from "./rpc/webhook-routes.ts";
import * as deliveryStore from "./store/delivery-store.ts";
import * as endpointStore from "./store/endpoint-store.ts";
import { createPurger } from "./store/purger.ts";
import * as queueStore from "./store/queue-store.ts";
import { createSecretSeal } from "./store/secret-seal.ts";

export const migrations = [endpointStore.notifyMigrations];

export type NotifyParts = Pick<ServiceParts<unknown>, "database" | "bus" | "logger"> & {
  config: Pick<
    NotifyConfig,
    | "keySecret"
    | "targets"
    | "retryDelaysMs"
    | "timeoutMs"
    | "maxEndpoints"
    | "maxPending"
    | "maxInFlight"
    | "maxInFlightEach"
    | "disableAfterMs"
    | "previousSecretMs"
  >;
};

/** A sender that was killed is given up for dead so long after its time-out. */
const LEASE_MARGIN_MS = 5_000;

/** Owns webhooks: the endpoints that members name, and the deliveries to them. */
export function createNotifyService({ database, bus, logger, config }: NotifyParts): Service {
  const store = { ...endpointStore, ...deliveryStore, ...queueStore };
  const { targets, timeoutMs, maxInFlightEach: inFlightEach } = config;
  const seal = createSecretSeal(config.keySecret);
  const sender = createHttpSender({ timeoutMs, targets, connections: inFlightEach });
  const attempts = { delivered: 0, failed: 0 };
  const send = async ({ eventId: id, endpointId, body, url, sealedSecrets }: Taken, signal: AbortSignal) => {
    const timestamp = Math.floor(Date.now() / 1_000);
    const secrets = sealedSecrets.map((sealed) => seal.open(endpointId, sealed));
    const headers = {
      "content-type": "application/json",
      "user-agent": "Ferry-Webhooks/1",
      "webhook-id": id,
      "webhook-timestamp": String(timestamp),
      "webhook-signature": signatureHeader({ id, timestamp, body }, secrets),
    };
    const outcome = await sender.send({ url, headers, body, signal });
    attempts[isSuccess(outcome) ? "delivered" : "failed"]++;
    return outcome;
  };
  const rules = { retryDelaysMs: config.retryDelaysMs, disableAfterMs: config.disableAfterMs, inFlightEach };
  const dispatch = createDispatch({
    database,
    store,
    deliver: createDeliver({ database, store, send, rules, now: () => new Date(), random: Math.random }),
    maxInFlight: config.maxInFlight,
    inFlightEach,
    leaseMs: timeoutMs + LEASE_MARGIN_MS,
    onProblem: (what, error) => logger.warn({ error: String(error) }, what),
  });
  const { wake } = dispatch;
  const types = readEventTypes();
  const endpoints = createManageEndpoints({
    database,
    store,
    secrets: { newSecret, seal: seal.seal },
    rules: { knownTypes: new Set([...types.values()].map(({ name }) => name)), targets, isPublicAddress },
    maxEndpoints: config.maxEndpoints,
    previousSecretMs: config.previousSecretMs,
    wake,
  });
  const deliveries = createManageDeliveries({ database, store, maxPending: config.maxPending, wake });
  const events = createEvents({
    bus,
    types,
    findSubscribed: (memberIds) => store.findSubscribed(database, memberIds),
    record: createRecordEvents({ database, store, maxPending: config.maxPending, wake }),
  });
  let hide = () => {};
  const dispatcher: Component = {
    name: "dispatch",
    async start() {
      const queue = () => store.countQueue(database);
      hide = showWebhooks({ attempts: () => attempts, inFlight: () => dispatch.inFlight, queue });
      wake();
    },
    async stop() {
      hide();
      await dispatch.stop();
      await sender.close();
    },
  };
  return {
    routes: webhookRoutes({ endpoints, deliveries, secretText }),
    components: [dispatcher, events, createPurger({ database, logger })],
  };
}
