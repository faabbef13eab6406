import { readFile } from "node:fs/promises";
import { AuthorityService } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import { createAuthenticator, createServiceIdentity, watchAuthority } from "@ferry/platform/auth";
import { type Component, demandPrivateUrl, readTls, runProcess } from "@ferry/platform/lifecycle";
import { createRpcClient, openChannel, type RpcChannel } from "@ferry/platform/rpc";
import { buildOf, createLogger } from "@ferry/platform/telemetry";
import { transportBackend } from "./backends.ts";
import { readEdgeConfig } from "./config.ts";
import { buildEdge } from "./server.ts";

const PROBE_OFFSET = 1_000;

const config = readEdgeConfig();
const logger = createLogger({ service: "edge", level: config.logLevel });
const build = buildOf("edge", config);
const tls = await readTls(config);
const identity = createServiceIdentity({ name: "edge", privateKeyPem: await readFile(config.serviceKeyFile, "utf8") });

/** One backend that answers slowly must leave room for the others. */
const SHARE_OF_ONE_BACKEND = 0.75;

const channels: RpcChannel[] = [];
/** Channels for members' calls have no identity: a request without a token must never travel under the edge's own. */
const channelTo = (audience: string, url: string, withIdentity = false): RpcChannel => {
  demandPrivateUrl(audience, url, tls);
  const channel = openChannel({
    ...{ url, audience, logger, tls, ...(withIdentity ? { identity } : {}) },
    maxInFlight: Math.ceil(config.maxInFlight * SHARE_OF_ONE_BACKEND),
  });
  channels.push(channel);
  return channel;
};
const backends = Object.entries({
  member: config.memberUrl,
  ledger: config.ledgerUrl,
  banking: config.bankingUrl,
  transfer: config.transferUrl,
  payment: config.paymentUrl,
  notify: config.notifyUrl,
}).map(([name, url]) => {
  const channel = channelTo(name, url);
  return transportBackend(name, channel.transport, channel);
});

const watchClient = createRpcClient(AuthorityService, channelTo("member", config.memberUrl, true));
const authority = watchAuthority({ client: watchClient, logger });
// No service calls through the edge, so none is trusted here.
const authenticator = createAuthenticator({ audience: "edge", authority, trustedServices: new Map() });
const edge = await buildEdge({
  options: { ...config, limits: config },
  backends,
  authenticator,
  authority,
  build,
  logger,
});

const outside: Component = {
  name: "channels",
  async stop() {
    for (const channel of channels) channel.close();
  },
};
await runProcess({
  logger,
  build,
  probePort: config.port + PROBE_OFFSET,
  host: config.host,
  components: [outside, ...edge.components, authority],
});
