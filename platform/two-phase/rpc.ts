import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import {
  Decision as DecisionMessage,
  InDoubtTransactionSchema,
  InDoubtTransactionService,
} from "@ferry/gen/ferry/two_phase/v1/two_phase_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import { principalOf } from "@ferry/platform/rpc";
import type { Coordinator, Decision, InDoubtTransaction } from "./types.ts";

const decisionMessages = { commit: DecisionMessage.COMMIT, abort: DecisionMessage.ABORT } as const;

function toMessage({ id, decision, preparedOn, participantCount, ageMs }: InDoubtTransaction) {
  return create(InDoubtTransactionSchema, {
    ...{ id, preparedOn, participantCount },
    decision: decision === undefined ? DecisionMessage.NONE : decisionMessages[decision],
    prepareTime: timestampFromMs(Date.now() - Math.round(ageMs)),
  });
}

const noCoordinator: Pick<Coordinator, "listInDoubt" | "resolve"> = {
  listInDoubt: async () => ({ transactions: [], unreachable: [] }),
  async resolve() {
    throw new FerryError("NOT_FOUND", "no such transaction is prepared anywhere");
  },
};

/**
 * Serves what operators see and do of transactions in doubt. Who may call is in the contract's options.
 * @param coordinator undefined where there is one database alone: then nothing is ever in doubt.
 */
export function inDoubtRoutes(
  router: ConnectRouter,
  coordinator: Pick<Coordinator, "listInDoubt" | "resolve"> = noCoordinator,
): void {
  const resolve =
    (decision: Decision) =>
    async ({ transactionId, reason }: { transactionId: string; reason: string }, context: HandlerContext) => {
      const by = { operatorId: principalOf(context).id, reason };
      return { transaction: toMessage(await coordinator.resolve(transactionId.toLowerCase(), decision, by)) };
    };
  router.service(InDoubtTransactionService, {
    async listInDoubtTransactions() {
      const { transactions, unreachable } = await coordinator.listInDoubt();
      return { transactions: transactions.map(toMessage), unreachable };
    },
    commitInDoubtTransaction: resolve("commit"),
    rollbackInDoubtTransaction: resolve("abort"),
  });
}
