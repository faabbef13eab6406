import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { type ListWebhookDeliveriesRequest, WebhookService } from "@ferry/gen/ferry/notify/v1/notify_pb.ts";
import { memberIdOf } from "@ferry/platform/rpc";
import type { ManageDeliveries } from "../app/manage-deliveries.ts";
import type { ManageEndpoints } from "../app/manage-endpoints.ts";
import { stateOf, toDeliveryMessage, toEndpointMessage } from "../app/messages.ts";

export interface WebhookRoutesDeps {
  endpoints: ManageEndpoints;
  deliveries: ManageDeliveries;
  secretText(secret: Buffer): string;
}

/** A UUID is the same in either case. */
const idOf = (text: string) => text.toLowerCase();

export function webhookRoutes(deps: WebhookRoutesDeps): (router: ConnectRouter) => void {
  const { endpoints, deliveries, secretText } = deps;

  async function list(request: ListWebhookDeliveriesRequest, context: HandlerContext) {
    const { pageSize, pageToken } = request;
    const page = await deliveries.list({
      memberId: memberIdOf(context),
      endpointId: idOf(request.endpointId),
      state: stateOf(request.state),
      pageSize,
      pageToken,
    });
    return { deliveries: page.deliveries.map(toDeliveryMessage), nextPageToken: page.nextPageToken };
  }

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
        return { endpoint: toEndpointMessage(await endpoints.get(memberIdOf(context), idOf(endpointId))) };
      },
      async deleteWebhookEndpoint({ endpointId }, context) {
        await endpoints.delete(memberIdOf(context), idOf(endpointId));
        return {};
      },
      async rotateWebhookSecret({ endpointId }, context) {
        const rotated = await endpoints.rotateSecret(memberIdOf(context), idOf(endpointId));
        return { endpoint: toEndpointMessage(rotated.endpoint), secret: secretText(rotated.secret) };
      },
      async enableWebhookEndpoint({ endpointId }, context) {
        return { endpoint: toEndpointMessage(await endpoints.enable(memberIdOf(context), idOf(endpointId))) };
      },
      async testWebhookEndpoint({ endpointId }, context) {
        return { delivery: toDeliveryMessage(await deliveries.ping(memberIdOf(context), idOf(endpointId))) };
      },
      listWebhookDeliveries: list,
      async getWebhookDelivery({ deliveryId }, context) {
        const found = await deliveries.get(memberIdOf(context), idOf(deliveryId));
        return { delivery: toDeliveryMessage(found), body: found.body };
      },
      async redriveWebhookDelivery({ deliveryId }, context) {
        return { delivery: toDeliveryMessage(await deliveries.redriveOne(memberIdOf(context), idOf(deliveryId))) };
      },
      async redriveWebhookDeliveries({ endpointId }, context) {
        return { redrivenCount: await deliveries.redriveAll(memberIdOf(context), idOf(endpointId)) };
      },
    });
  };
}
