import type { Service, ServiceParts } from "@ferry/platform/lifecycle";
import { createManageEndpoints } from "./app/manage-endpoints.ts";
import { isPublicAddress } from "./clients/public-address.ts";
import { newSecret, secretText } from "./clients/signature.ts";
import type { NotifyConfig } from "./config.ts";
import { webhookRoutes } from "./rpc/webhook-routes.ts";
import * as endpointStore from "./store/endpoint-store.ts";
import { createSecretSeal } from "./store/secret-seal.ts";

export const migrations = [endpointStore.notifyMigrations];

export type NotifyParts = Pick<ServiceParts<unknown>, "database" | "bus" | "logger"> & {
  config: Pick<NotifyConfig, "keySecret" | "targets" | "maxEndpoints" | "previousSecretMs">;
};

/** Owns webhooks: the endpoints that members name, and the deliveries to them. */
export function createNotifyService({ database, config }: NotifyParts): Service {
  const seal = createSecretSeal(config.keySecret);
  const endpoints = createManageEndpoints({
    database,
    store: endpointStore,
    secrets: { newSecret, seal: seal.seal },
    rules: { knownTypes: new Set(), targets: config.targets, isPublicAddress },
    maxEndpoints: config.maxEndpoints,
    previousSecretMs: config.previousSecretMs,
    wake() {},
  });
  return { routes: webhookRoutes({ endpoints, secretText }), components: [] };
}
