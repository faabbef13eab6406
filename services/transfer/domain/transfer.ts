import { FerryError } from "@ferry/platform/errors";

/** Where the money goes. */
export type Destination =
  | { kind: "account"; accountId: string }
  | { kind: "bank"; bankCode: string; accountNumber: string };

export type TransferState = "ACCEPTED" | "VERIFIED" | "HELD" | "SENT" | "COMPLETED" | "FAILED" | "CANCELED" | "PARKED";

const STATES_AT_REST: ReadonlySet<TransferState> = new Set(["COMPLETED", "FAILED", "CANCELED", "PARKED"]);

/** Whether a transfer stays as it is unless an operator acts: nobody waits for more. */
export function isAtRest(state: TransferState): boolean {
  return STATES_AT_REST.has(state);
}

export interface TransferRequest {
  memberId: string;
  sourceAccountId: string;
  destination: Destination;
  currency: string;
  /** Minor units of the currency, above zero. */
  amountMinor: bigint;
  memo: string;
}

/** What other services say about an account; undefined where there is none. */
export interface AccountFacts {
  ownerId: string;
  currency: string;
  open: boolean;
}

export interface TransferFacts {
  memberState: "active" | "suspended" | undefined;
  source: AccountFacts | undefined;
  /** Only asked for destinations on the platform. */
  destination: AccountFacts | undefined;
}

/**
 * Refuses a request that must not be recorded.
 *
 * @throws FerryError MEMBER_SUSPENDED; NOT_FOUND when the source is not the member's or does not
 * exist, so that nobody learns which accounts exist; SAME_ACCOUNT, ACCOUNT_CLOSED,
 * CURRENCY_MISMATCH, DESTINATION_UNKNOWN.
 */
export function checkRequest(request: TransferRequest, facts: TransferFacts): void {
  const { source, destination } = facts;
  if (facts.memberState === undefined) throw new FerryError("NOT_FOUND", "no such member");
  if (facts.memberState === "suspended") throw new FerryError("MEMBER_SUSPENDED", "the member is suspended");
  if (source === undefined || source.ownerId !== request.memberId)
    throw new FerryError("NOT_FOUND", `source_account_id: no account ${request.sourceAccountId}`);
  if (!source.open) throw new FerryError("ACCOUNT_CLOSED", "source_account_id: the account is closed");
  if (source.currency !== request.currency)
    throw new FerryError("CURRENCY_MISMATCH", `amount.currency: the source account is in ${source.currency}`);
  if (request.destination.kind === "bank") return;
  if (request.destination.accountId === request.sourceAccountId)
    throw new FerryError("SAME_ACCOUNT", "destination.account_id: is the source account");
  if (destination === undefined) throw new FerryError("DESTINATION_UNKNOWN", "destination.account_id: no such account");
  if (!destination.open) throw new FerryError("ACCOUNT_CLOSED", "destination.account_id: the account is closed");
  if (destination.currency !== request.currency)
    throw new FerryError("CURRENCY_MISMATCH", `amount.currency: the destination account is in ${destination.currency}`);
}

/** How far a transfer's saga has come. */
export interface Progress {
  status: "running" | "undoing" | "completed" | "undone" | "parked";
  /** Names of the steps that are done. */
  done: ReadonlySet<string>;
  canceled: boolean;
}

/** The state that readers see. While a transfer is undone it stays in the last state that it reached. */
export function stateOf({ status, done, canceled }: Progress): TransferState {
  switch (status) {
    case "completed":
      return "COMPLETED";
    case "undone":
      return canceled ? "CANCELED" : "FAILED";
    case "parked":
      return "PARKED";
    case "running":
    case "undoing":
      if (done.has("send")) return "SENT";
      if (done.has("place-hold")) return "HELD";
      return done.has("verify-account") ? "VERIFIED" : "ACCEPTED";
    default:
      return status satisfies never;
  }
}
