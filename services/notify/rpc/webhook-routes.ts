import type { ConnectRouter } from "@connectrpc/connect";
import { WebhookService } from "@ferry/gen/ferry/notify/v1/notify_pb.ts";
import { memberIdOf } from "@ferry/platform/rpc";
import type { ManageEndpoints } from "../app/manage-endpoints.ts";
import { toEndpointMessage } from "../app/messages.ts";

export interface WebhookRoutesDeps {
  endpoints: ManageEndpoints;
  secretText(secret: Buffer): string;
}

export function webhookRoutes({ endpoints, secretText }: WebhookRoutesDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(WebhookService, {
      async createWebhookEndpoint({ url, eventTypes, description }, context) {
        const created = await endpoints.create(memberIdOf(context), { url, eventTypes, description });
        return { endpoint: toEndpointMessage(created.endpoint), secret: secretText(created.secret) };
      },
      async listWebhookEndpoints(_request, context) {
        return { endpoints: (await endpoints.list(memberIdOf(context))).map(toEndpointMessage) };
      },
      async getWebhookEndpoint({ endpointId }, context) {
        return { endpoint: toEndpointMessage(await endpoints.get(memberIdOf(context), endpointId.toLowerCase())) };
      },
      async deleteWebhookEndpoint({ endpointId }, context) {
        await endpoints.delete(memberIdOf(context), endpointId.toLowerCase());
        return {};
      },
      async rotateWebhookSecret({ endpointId }, context) {
        const rotated = await endpoints.rotateSecret(memberIdOf(context), endpointId.toLowerCase());
        return { endpoint: toEndpointMessage(rotated.endpoint), secret: secretText(rotated.secret) };
      },
      async enableWebhookEndpoint({ endpointId }, context) {
        return { endpoint: toEndpointMessage(await endpoints.enable(memberIdOf(context), endpointId.toLowerCase())) };
      },
    });
  };
}
