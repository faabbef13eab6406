import { FerryError } from "@ferry/platform/errors";

export type TopUpState = "ACCEPTED" | "COLLECTED" | "COMPLETED" | "FAILED" | "PARKED";

const STATES_AT_REST: ReadonlySet<TopUpState> = new Set(["COMPLETED", "FAILED", "PARKED"]);

/** Whether a top-up stays as it is unless an operator acts: nobody waits for more. */
export function isAtRest(state: TopUpState): boolean {
  return STATES_AT_REST.has(state);
}

export interface TopUpRequest {
  memberId: string;
  accountId: string;
  /** Where the money comes from. */
  bankCode: string;
  accountNumber: string;
  currency: string;
  /** Minor units of the currency, above zero. */
  amountMinor: bigint;
}

/** What other services say; undefined where there is none. */
export interface TopUpFacts {
  memberState: "active" | "suspended" | undefined;
  account: { ownerId: string; currency: string; open: boolean } | undefined;
}

/**
 * Refuses a request that must not be recorded.
 *
 * @throws FerryError MEMBER_SUSPENDED; NOT_FOUND when the account is not the member's or does not
 * exist, so that nobody learns which accounts exist; ACCOUNT_CLOSED, CURRENCY_MISMATCH.
 */
export function checkRequest(request: TopUpRequest, { memberState, account }: TopUpFacts): void {
  if (memberState === undefined) throw new FerryError("NOT_FOUND", "no such member");
  if (memberState === "suspended") throw new FerryError("MEMBER_SUSPENDED", "the member is suspended");
  if (account === undefined || account.ownerId !== request.memberId)
    throw new FerryError("NOT_FOUND", `account_id: no account ${request.accountId}`);
  if (!account.open) throw new FerryError("ACCOUNT_CLOSED", "account_id: the account is closed");
  if (account.currency !== request.currency)
    throw new FerryError("CURRENCY_MISMATCH", `amount.currency: the account is in ${account.currency}`);
}

/** The state that readers see, by how far the saga has come. */
export function stateOf(
  status: "running" | "undoing" | "completed" | "undone" | "parked",
  done: ReadonlySet<string>,
): TopUpState {
  switch (status) {
    case "completed":
      return "COMPLETED";
    case "undone":
      return "FAILED";
    case "parked":
      return "PARKED";
    case "running":
    case "undoing":
      return done.has("collect") ? "COLLECTED" : "ACCEPTED";
    default:
      return status satisfies never;
  }
}
