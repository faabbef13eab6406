import { FerryError, invalidRequest } from "@ferry/platform/errors";

/** Where the money goes. */
export type Destination =
  | { kind: "account"; accountId: string }
  | { kind: "bank"; bankCode: string; accountNumber: string };

export type TransferState =
  | "SCHEDULED"
  | "ACCEPTED"
  | "VERIFIED"
  | "HELD"
  | "SENT"
  | "COMPLETED"
  | "FAILED"
  | "CANCELED"
  | "PARKED";

const STATES_AT_REST: ReadonlySet<TransferState> = new Set(["COMPLETED", "FAILED", "CANCELED", "PARKED"]);

/** Whether a transfer stays as it is unless an operator acts: nobody waits for more. */
export function isAtRest(state: TransferState): boolean {
  return STATES_AT_REST.has(state);
}

export const STATES_UNDER_WAY = ["ACCEPTED", "VERIFIED", "HELD", "SENT"] as const satisfies readonly TransferState[];
const UNDER_WAY: ReadonlySet<TransferState> = new Set(STATES_UNDER_WAY);

/** Whether a transfer is on its way, forward or back: it has begun, and is not at rest. */
export function isUnderWay(state: TransferState): boolean {
  return UNDER_WAY.has(state);
}

export interface TransferRequest {
  memberId: string;
  sourceAccountId: string;
  destination: Destination;
  currency: string;
  /** Minor units of the currency, above zero. */
  amountMinor: bigint;
  memo: string;
  /** Begins then, Unix time in milliseconds; absent: at once. */
  executeAtMs?: number | undefined;
  /** What has not been sent by then is undone, Unix time in milliseconds; absent: never. */
  expireAtMs?: number | undefined;
  /** The line of a batch that it is, counted from 1; absent: of none. */
  batch?: { id: string; line: number } | undefined;
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

/** How far ahead something can be planned. */
export const HORIZON_DAYS = 366;

/** When something begins, and by when it must be sent. Unix times in milliseconds. */
export type Plan = Pick<TransferRequest, "executeAtMs" | "expireAtMs">;

/** @throws FerryError INVALID_REQUEST for times that have passed, are too far ahead, or do not leave any time between them. */
export function checkPlan({ executeAtMs, expireAtMs }: Plan, nowMs: number): void {
  const horizonMs = nowMs + HORIZON_DAYS * 86_400_000;
  for (const [field, atMs] of [
    ["execute_time", executeAtMs],
    ["expire_time", expireAtMs],
  ] as const) {
    if (atMs === undefined) continue;
    if (atMs <= nowMs) throw invalidRequest([{ field, description: "must be in the future" }]);
    if (atMs > horizonMs)
      throw invalidRequest([{ field, description: `must be within ${HORIZON_DAYS} days from now` }]);
  }
  if (executeAtMs !== undefined && expireAtMs !== undefined && expireAtMs <= executeAtMs)
    throw invalidRequest([{ field: "expire_time", description: "must be after execute_time" }]);
}

/** The state in which a transfer is recorded. A batch keeps its time itself: its lines begin when they are recorded. */
export function initialStateOf({ executeAtMs, batch }: Pick<TransferRequest, "executeAtMs" | "batch">) {
  return executeAtMs === undefined || batch !== undefined ? "ACCEPTED" : "SCHEDULED";
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
