import type { Client } from "@connectrpc/connect";
import {
  AccountState,
  type LedgerService,
  type AccountFacts as WireFacts,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { createBatcher } from "@ferry/platform/db";
import { withLastAnswer } from "@ferry/platform/upstream";
import type { AccountFacts } from "../domain/transfer.ts";

/** An account keeps its owner and its currency for ever, and ledger looks at its state again before it moves money. */
const MAX_AGE_MS = 600_000;

/** What ledger says of so many accounts at once. */
const MAX_IDS = 2_000;

function factsFrom({ ownerId, currency, state }: WireFacts): AccountFacts {
  return { ownerId, currency, open: state !== AccountState.CLOSED };
}

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
        return factsFrom(found);
      });
    },
  });
  /** The facts of many accounts that exist, asked for in a few calls of their own. */
  async function allFactsOf(ids: ReadonlySet<string>): Promise<ReadonlyMap<string, AccountFacts>> {
    const found = new Map<string, AccountFacts>();
    const wanted = [...ids];
    for (let from = 0; from < wanted.length; from += MAX_IDS) {
      const { accounts } = await client.batchGetAccountFacts({ accountIds: wanted.slice(from, from + MAX_IDS) });
      for (const [id, facts] of Object.entries(accounts)) found.set(id, factsFrom(facts));
    }
    return found;
  }
  return {
    allFactsOf,
    factsOf: withLastAnswer((accountId: string) => batcher.add(accountId), {
      upstream: "ledger",
      maxAgeMs: MAX_AGE_MS,
    }),
  };
}
