// Our own hop: platform/rpc on both sides, as production has it.
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { createAuthenticator, createAuthorityState, createServiceIdentity, readPublicKey } from "@ferry/platform/auth";
import { createRpcClient, createRpcServer, openChannel } from "@ferry/platform/rpc";
import { createLogger, runInContext } from "@ferry/platform/telemetry";
import { answer, CALLED, CALLER, type HopSetUp, nextCall } from "./call.ts";

const logger = createLogger({ service: "hop", level: "warn" });

export async function serve({ publicKeyPem }: HopSetUp): Promise<number> {
  const trustedServices = new Map([[CALLER!, readPublicKey(publicKeyPem, "the caller's key")]]);
  const server = createRpcServer({
    service: CALLED!,
    port: 0,
    authenticator: createAuthenticator({ audience: CALLED!, authority: createAuthorityState(), trustedServices }),
    logger,
    build: { service: CALLED!, version: "0", commit: "none", buildTime: "none" },
    routes: (router) => void router.service(LedgerService, { batchGetAccountFacts: answer }),
  });
  await server.start();
  return server.port;
}

export async function connect(port: number, { privateKeyPem }: HopSetUp): Promise<() => Promise<void>> {
  const identity = createServiceIdentity({ name: CALLER!, privateKeyPem });
  const channel = openChannel({ url: `http://127.0.0.1:${port}`, audience: CALLED!, identity, logger });
  const client = createRpcClient(LedgerService, channel);
  return async () => {
    const { accountId, requestId, traceparent } = nextCall();
    const accountIds = [accountId];
    const { accounts } = await runInContext({ requestId, traceparent }, () =>
      client.batchGetAccountFacts({ accountIds }),
    );
    if (accounts[accountId]?.currency !== "EUR") throw new Error("a wrong answer");
  };
}
