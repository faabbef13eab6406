import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Account,
  AccountSchema,
  AccountState,
  type Entry,
  EntrySchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { create } from "@ferry/platform/codec";
import type { AccountRecord, EntryRecord } from "../app/records.ts";
import { availableMinor } from "../domain/account.ts";

const stateMessages: Readonly<Record<AccountRecord["state"], AccountState>> = {
  open: AccountState.OPEN,
  frozen: AccountState.FROZEN,
  closed: AccountState.CLOSED,
};

export function stateMessage(state: AccountRecord["state"]): AccountState {
  return stateMessages[state];
}

export function accountMessage(account: AccountRecord): Account {
  const { id, currency, balanceMinor, state, createdAt } = account;
  return create(AccountSchema, {
    id,
    currency,
    balance: { currency, minorUnits: balanceMinor },
    available: { currency, minorUnits: availableMinor(account) },
    state: stateMessage(state),
    createTime: timestampFromDate(createdAt),
  });
}

export function entryMessage(entry: EntryRecord, currency: string): Entry {
  return create(EntrySchema, {
    id: entry.id,
    reference: entry.reference,
    amount: { currency, minorUnits: entry.amountMinor },
    balanceAfter: { currency, minorUnits: entry.balanceAfterMinor },
    time: timestampFromDate(entry.createdAt),
  });
}
