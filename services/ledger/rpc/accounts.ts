import type { ServiceImpl } from "@connectrpc/connect";
import type { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { memberIdOf, principalOf } from "@ferry/platform/rpc";
import type { createCloseAccount } from "../app/close-account.ts";
import type { FreezeAccounts } from "../app/freeze-accounts.ts";
import type { createGetAccounts } from "../app/get-accounts.ts";
import type { createListAccounts } from "../app/list-accounts.ts";
import type { createListEntries } from "../app/list-entries.ts";
import type { createOpenAccount } from "../app/open-account.ts";
import { accountMessage, entryMessage, stateMessage } from "./messages.ts";

export interface AccountUseCases extends ReturnType<typeof createGetAccounts>, FreezeAccounts {
  openAccount: ReturnType<typeof createOpenAccount>;
  closeAccount: ReturnType<typeof createCloseAccount>;
  listAccounts: ReturnType<typeof createListAccounts>;
  listEntries: ReturnType<typeof createListEntries>;
}

type AccountRpcs = Pick<
  ServiceImpl<typeof LedgerService>,
  | "openAccount"
  | "listAccounts"
  | "getAccount"
  | "listEntries"
  | "closeAccount"
  | "batchGetAccountFacts"
  | "freezeAccount"
  | "unfreezeAccount"
  | "freezeAccounts"
  | "unfreezeAccounts"
>;

/** Members' own accounts, and what other services may know of them. */
export function createAccountRpcs(app: AccountUseCases): AccountRpcs {
  const { openAccount, closeAccount, findAccounts, getAccount, listAccounts, listEntries } = app;
  return {
    async openAccount({ currency }, context) {
      return { account: accountMessage(await openAccount(memberIdOf(context), currency)) };
    },
    async listAccounts({ pageSize, pageToken }, context) {
      const { items, nextPageToken } = await listAccounts(memberIdOf(context), pageSize, pageToken);
      return { accounts: items.map(accountMessage), nextPageToken };
    },
    async getAccount({ accountId }, context) {
      return { account: accountMessage(await getAccount(accountId.toLowerCase(), memberIdOf(context))) };
    },
    async listEntries({ accountId, pageSize, pageToken }, context) {
      const page = await listEntries(accountId.toLowerCase(), memberIdOf(context), pageSize, pageToken);
      const { currency } = page.account;
      return { entries: page.items.map((entry) => entryMessage(entry, currency)), nextPageToken: page.nextPageToken };
    },
    async closeAccount({ accountId }, context) {
      return { account: accountMessage(await closeAccount(accountId.toLowerCase(), memberIdOf(context))) };
    },
    async freezeAccount({ accountId, reason }, context) {
      const order = { actor: `operator:${principalOf(context).id}`, reason };
      return { account: accountMessage(await app.freezeAccount(accountId.toLowerCase(), order)) };
    },
    async unfreezeAccount({ accountId, reason }, context) {
      const order = { actor: `operator:${principalOf(context).id}`, reason };
      return { account: accountMessage(await app.unfreezeAccount(accountId.toLowerCase(), order)) };
    },
    async freezeAccounts({ accountIds, reason }, context) {
      const ids = accountIds.map((id) => id.toLowerCase());
      return { accountIds: await app.freezeAccounts(ids, { actor: principalOf(context).id, reason }) };
    },
    async unfreezeAccounts({ accountIds, reason }, context) {
      const ids = accountIds.map((id) => id.toLowerCase());
      return { accountIds: await app.unfreezeAccounts(ids, { actor: principalOf(context).id, reason }) };
    },
    async batchGetAccountFacts({ accountIds }) {
      const found = await findAccounts(accountIds.map((id) => id.toLowerCase()));
      // Keyed as the caller spelled the ids, who looks them up by that.
      const known = accountIds.flatMap((id) => {
        const account = found.get(id.toLowerCase());
        if (account === undefined) return [];
        const { ownerId = "", currency, state } = account;
        return [[id, { ownerId, currency, state: stateMessage(state) }] as const];
      });
      return { accounts: Object.fromEntries(known) };
    },
  };
}
