import type { Client } from "@connectrpc/connect";
import { AccountState, type LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { createBatcher } from "@ferry/platform/db";
import type { TopUpFacts } from "../domain/top-up.ts";

type AccountFacts = NonNullable<TopUpFacts["account"]>;

/** Asks ledger for owner, currency and state of accounts, one call for many callers. */
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
  return { factsOf: (accountId: string) => batcher.add(accountId) };
}
