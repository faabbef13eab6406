import type { Client } from "@connectrpc/connect";
import { AccountState, type LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { createBatcher } from "@ferry/platform/db";
import { withLastAnswer } from "@ferry/platform/upstream";
import type { AccountFacts } from "../domain/transfer.ts";

/** An account keeps its owner and its currency for ever, and ledger looks at its state again before it moves money. */
const MAX_AGE_MS = 600_000;

/**
 * Asks ledger for owner, currency and state of accounts, one call for many callers. While ledger cannot be
 * asked, what it last said of an account is taken for up to ten minutes.
 */
export function createAccounts(client: Client<typeof LedgerService>) {
  const batcher = createBatcher<string, AccountFacts | undefined>({
    async run(ids) {
      const { accounts } = await client.batchGetAccountFacts({ accountIds: [...new Set(ids)] });
      return ids.map((id) => {
        const found = accounts[id];
        if (found === undefined) return undefined;
        return { ownerId: found.ownerId, currency: found.currency, open: found.state !== AccountState.CLOSED };
      });
    },
  });
  return {
    factsOf: withLastAnswer((accountId: string) => batcher.add(accountId), {
      upstream: "ledger",
      maxAgeMs: MAX_AGE_MS,
    }),
  };
}
