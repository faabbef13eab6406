// The edge under test: buildEdge before a channel of the platform, as edge/main.ts puts them together.
import { createAuthenticator, createAuthorityState } from "@ferry/platform/auth";
import { openChannel } from "@ferry/platform/rpc";
import { createLogger } from "@ferry/platform/telemetry";
import { transportBackend } from "../../../edge/backends.ts";
import { readEdgeConfig } from "../../../edge/config.ts";
import { compileEdgeRoutes } from "../../../edge/routes.ts";
import { buildEdge } from "../../../edge/server.ts";
import { TransferService } from "../../peers/edge/contract/bench/transfer/v1/transfer_pb.ts";
import { serveParent } from "../serve-parent.ts";
import { KID } from "./tokens.ts";

/** A machine that is busy with others would be told that the edge is overloaded. */
const MAX_LAG_MS = 10_000;

serveParent({
  async serve({ publicKeyPem, backendPort }: { publicKeyPem: string; backendPort: number }) {
    const config = readEdgeConfig({ FERRY_SERVICE_KEY_FILE: "none", FERRY_SERVICE_TRUST_FILE: "none" });
    const logger = createLogger({ service: "edge", level: "warn" });
    const authority = createAuthorityState();
    authority.apply({
      snapshot: true,
      keys: [{ kid: KID, publicKeyPem }],
      suspendedMemberIds: [],
      reinstatedMemberIds: [],
      revokedSessionIds: [],
    });
    const channel = openChannel({ url: `http://127.0.0.1:${backendPort}`, audience: "transfer", logger });
    const backends = [transportBackend("transfer", channel.transport, channel)];
    const byName = new Map(backends.map((backend) => [backend.name, backend]));
    const edge = await buildEdge({
      options: { ...config, port: 0, limits: { ...config, maxLoopLagMs: MAX_LAG_MS } },
      backends,
      authenticator: createAuthenticator({ audience: "edge", authority, trustedServices: new Map() }),
      authority,
      build: { service: "edge", version: "0", commit: "none", buildTime: "none" },
      logger,
      routes: compileEdgeRoutes(byName, [{ service: TransferService, backend: "transfer" }]),
    });
    for (const component of edge.components) await component.start?.();
    return edge.port();
  },
});
