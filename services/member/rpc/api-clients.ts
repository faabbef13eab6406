import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { ApiClientSchema, type ApiClientService } from "@ferry/gen/ferry/member/v1/api_client_pb.ts";
import { ACCESS_TOKEN, machineScopesOf } from "@ferry/platform/auth";
import { memberIdOf, principalOf } from "@ferry/platform/rpc";
import type { ApiClients } from "../app/api-clients.ts";
import type { CreateToken } from "../app/create-token.ts";
import type { ApiClient } from "../domain/api-client.ts";
import { callerOf, idOf, originOf } from "./callers.ts";
import { readTokenRequest } from "./token-form.ts";

export interface ApiClientRpcDeps {
  apiClients: ApiClients;
  createToken(command: CreateToken): Promise<{ accessToken: string; scope: string }>;
}

function toWire({ id, displayName, scopes, createdAt, lastUsedAt }: ApiClient) {
  return create(ApiClientSchema, {
    ...{ id, displayName, scopes: [...scopes], createTime: timestampFromDate(createdAt) },
    lastUseTime: lastUsedAt && timestampFromDate(lastUsedAt),
  });
}

/** The rpcs of ApiClientService. */
export function createApiClientRpcs({
  apiClients,
  createToken,
}: ApiClientRpcDeps): ServiceImpl<typeof ApiClientService> {
  return {
    async createApiClient({ displayName, scopes }, context) {
      const { kind, scopes: own } = principalOf(context);
      const allowed = machineScopesOf(kind === "operator" ? "operator" : "member").filter((scope) => own.has(scope));
      const { client, secret } = await apiClients.create(callerOf(context), { displayName, scopes }, allowed);
      return { apiClient: toWire(client), clientSecret: secret };
    },
    async listApiClients(_request, context) {
      return { apiClients: (await apiClients.list(memberIdOf(context))).map(toWire) };
    },
    async getApiClient({ apiClientId }, context) {
      return { apiClient: toWire(await apiClients.get(memberIdOf(context), idOf(apiClientId))) };
    },
    async rotateApiClientSecret({ apiClientId }, context) {
      const { client, secret } = await apiClients.rotateSecret(callerOf(context), idOf(apiClientId));
      return { apiClient: toWire(client), clientSecret: secret };
    },
    async deleteApiClient({ apiClientId }, context) {
      await apiClients.delete(callerOf(context), idOf(apiClientId));
      return {};
    },
    async createToken(request, context) {
      const asked = readTokenRequest(request);
      const { accessToken, scope } = await createToken({ ...asked, origin: originOf(context) });
      return { accessToken, tokenType: "Bearer", expiresIn: ACCESS_TOKEN.lifeSeconds, scope };
    },
  };
}
