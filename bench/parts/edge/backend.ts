// What stands behind the edge: transfer's GetTransfer from memory, and the authority that the edge watches;
// both through platform/rpc, as production has them.
import { once } from "node:events";
import type { ConnectRouter } from "@connectrpc/connect";
import { AuthorityService } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import { TransferService } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { createAuthenticator, createAuthorityState } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { createRpcServer, memberIdOf } from "@ferry/platform/rpc";
import { createLogger } from "@ferry/platform/telemetry";
import { serveParent } from "../serve-parent.ts";
import { KID, type Person, transferOf } from "./people.ts";

export interface BackendSetUp {
  people: Person[];
  memberKeyPem: string;
  /** JWKS. */
  trustedServices: string;
}

const logger = createLogger({ service: "backend", level: "warn" });

serveParent({
  async serve({ people, memberKeyPem, trustedServices }: BackendSetUp) {
    const authority = createAuthorityState();
    authority.apply({
      snapshot: true,
      keys: [{ kid: KID, publicKeyPem: memberKeyPem }],
      suspendedMemberIds: [],
      reinstatedMemberIds: [],
      revokedSessionIds: [],
    });
    const start = async (service: string, routes: (router: ConnectRouter) => void): Promise<number> => {
      const authenticator = createAuthenticator({ audience: service, authority, trustedServices });
      const build = { service, version: "0", commit: "none", buildTime: "none" };
      const server = createRpcServer({ service, port: 0, authenticator, logger, build, routes });
      await server.start();
      return server.port;
    };
    const member = await start("member", (router) => {
      router.service(AuthorityService, {
        async *watchAuthority(_request, { signal }) {
          const state = authority.snapshot();
          yield { ...state, keys: [...state.keys] };
          if (!signal.aborted) await once(signal, "abort");
        },
      });
    });
    const transfers = new Map(people.map((person) => [person.transferId, { person, transfer: transferOf(person) }]));
    const transfer = await start("transfer", (router) => {
      router.service(TransferService, {
        getTransfer({ transferId }, context) {
          const found = transfers.get(transferId);
          if (found?.person.memberId !== memberIdOf(context))
            throw new FerryError("NOT_FOUND", "transfer_id: there is no such transfer");
          return { transfer: found.transfer };
        },
      });
    });
    return { member, transfer };
  },
});
