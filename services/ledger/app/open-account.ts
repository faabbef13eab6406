import { newUuid, type Queryable } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { AccountId } from "../domain/account.ts";
import { isCurrency } from "../domain/currencies.ts";
import type { AccountRecord } from "./records.ts";

interface AccountWriter {
  insertAccount(db: Queryable, id: AccountId, ownerId: string, currency: string): Promise<AccountRecord>;
}

/** Opens an account with a balance of zero. */
export function createOpenAccount({ db, store }: { db: Queryable; store: AccountWriter }) {
  /** @throws FerryError CURRENCY_UNKNOWN. */
  return async (memberId: string, currency: string): Promise<AccountRecord> => {
    if (!isCurrency(currency))
      throw new FerryError("CURRENCY_UNKNOWN", `currency: ${currency} is not an active currency of ISO 4217`);
    return store.insertAccount(db, newUuid(), memberId, currency);
  };
}
