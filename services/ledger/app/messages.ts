import {
  type CreditAccountRequest,
  CreditAccountResponseSchema,
  type PlaceHoldRequest,
  PlaceHoldResponseSchema,
  type ReceiveTransferRequest,
  ReceiveTransferResponseSchema,
  type ReleaseHoldRequest,
  ReleaseHoldResponseSchema,
  type SettleHoldRequest,
  SettleHoldResponseSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import type { Failure, Money } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { create } from "@ferry/platform/codec";
import { invalidRequest } from "@ferry/platform/errors";
import type { OutgoingMessage } from "@ferry/platform/outbox";
import type { Outcome } from "../domain/books.ts";
import { type Command, type Destination, refusalMessages } from "../domain/commands.ts";

/** What comes through both doors. */
export type CommandMessage =
  | PlaceHoldRequest
  | SettleHoldRequest
  | ReleaseHoldRequest
  | CreditAccountRequest
  | ReceiveTransferRequest;

/** As many as LEDGER_SHARDS takes. */
const MAX_SHARDS = 64;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Reads a command. The fields are checked here as well, because the bus does not check them, and an
 * amount below zero would move money the wrong way.
 *
 * @param expired Whether its time was over when it was received.
 * @throws FerryError INVALID_REQUEST with the name of the field.
 */
export function toCommand(message: CommandMessage, expired = false): Command {
  switch (message.$typeName) {
    case "ferry.ledger.v1.PlaceHoldRequest":
      return {
        kind: "place-hold",
        transferId: uuid("transfer_id", message.transferId),
        sourceAccountId: uuid("source_account_id", message.sourceAccountId),
        payerMemberId: uuid("payer_member_id", message.payerMemberId),
        ...amount(message.amount),
        destinationAccountId:
          message.destinationAccountId === ""
            ? undefined
            : uuid("destination_account_id", message.destinationAccountId),
        expired,
        provisional: message.provisional,
      };
    case "ferry.ledger.v1.SettleHoldRequest":
      return {
        kind: "settle-hold",
        transferId: uuid("transfer_id", message.transferId),
        sourceAccountId: uuid("source_account_id", message.sourceAccountId),
        destination: destinationOf(message),
      };
    case "ferry.ledger.v1.ReleaseHoldRequest":
      return {
        kind: "release-hold",
        transferId: uuid("transfer_id", message.transferId),
        sourceAccountId: uuid("source_account_id", message.sourceAccountId),
      };
    case "ferry.ledger.v1.CreditAccountRequest":
      return {
        kind: "credit-account",
        reference: uuid("reference", message.reference),
        accountId: uuid("account_id", message.accountId),
        ...amount(message.amount),
        bankCode: bankCode("source.bank_code", message.source?.bankCode),
      };
    case "ferry.ledger.v1.ReceiveTransferRequest":
      return {
        kind: "receive-transfer",
        reference: uuid("reference", message.reference),
        accountId: uuid("account_id", message.accountId),
        ...amount(message.amount),
        fromShard: shardPosition("from_shard", message.fromShard),
      };
    default:
      return message satisfies never;
  }
}

/** The answer to a command, as a message without its address. References are given back as they were asked. */
export function toReply(message: CommandMessage, outcome: Pick<Outcome, "refusal" | "missingMinor">): OutgoingMessage {
  const { refusal, missingMinor } = outcome;
  const failure = refusal === undefined ? undefined : { code: refusal, message: refusalMessages[refusal] };
  switch (message.$typeName) {
    case "ferry.ledger.v1.PlaceHoldRequest":
      return reply(PlaceHoldResponseSchema, {
        transferId: message.transferId,
        failure,
        missing:
          missingMinor === undefined
            ? undefined
            : { currency: message.amount?.currency ?? "", minorUnits: missingMinor },
      });
    case "ferry.ledger.v1.SettleHoldRequest":
      return reply(SettleHoldResponseSchema, { transferId: message.transferId, failure });
    case "ferry.ledger.v1.ReleaseHoldRequest":
      return reply(ReleaseHoldResponseSchema, { transferId: message.transferId, failure });
    case "ferry.ledger.v1.CreditAccountRequest":
      return reply(CreditAccountResponseSchema, { reference: message.reference, failure });
    case "ferry.ledger.v1.ReceiveTransferRequest":
      return reply(ReceiveTransferResponseSchema, { reference: message.reference, failure });
    default:
      return message satisfies never;
  }
}

type ReplySchema =
  | typeof PlaceHoldResponseSchema
  | typeof SettleHoldResponseSchema
  | typeof ReleaseHoldResponseSchema
  | typeof CreditAccountResponseSchema
  | typeof ReceiveTransferResponseSchema;
type FailureFields = Pick<Failure, "code" | "message">;
type MoneyFields = Pick<Money, "currency" | "minorUnits">;

function reply(
  schema: ReplySchema,
  fields: { transferId?: string; reference?: string; failure?: FailureFields; missing?: MoneyFields },
) {
  return { schema, message: create(schema, fields) } as OutgoingMessage;
}

function wrong(field: string, description: string): Error {
  return invalidRequest([{ field, description }]);
}

/** Ids are compared as text, so they are brought into the form that the database gives them. */
function uuid(field: string, text: string): string {
  const id = text.toLowerCase();
  if (!UUID.test(id)) throw wrong(field, "must be a UUID");
  return id;
}

function amount(money: Money | undefined): { amountMinor: bigint; currency: string } {
  if (money === undefined) throw wrong("amount", "is missing");
  if (money.minorUnits <= 0n) throw wrong("amount.minor_units", "must be above zero");
  if (!/^[A-Z]{3}$/.test(money.currency)) throw wrong("amount.currency", "must be a code of ISO 4217");
  return { amountMinor: money.minorUnits, currency: money.currency };
}

function shardPosition(field: string, position: number): number {
  if (!Number.isInteger(position) || position < 0 || position >= MAX_SHARDS)
    throw wrong(field, `must be 0 to ${MAX_SHARDS - 1}`);
  return position;
}

function bankCode(field: string, code: string | undefined): string {
  if (code === undefined || !/^[0-9]{3}$/.test(code)) throw wrong(field, "must be three digits");
  return code;
}

function destinationOf({ destination }: SettleHoldRequest): Destination {
  switch (destination.case) {
    case "destinationAccountId":
      return { kind: "account", accountId: uuid("destination_account_id", destination.value) };
    case "destinationBankAccount":
      return { kind: "bank", bankCode: bankCode("destination_bank_account.bank_code", destination.value.bankCode) };
    default:
      throw wrong("destination", "is missing");
  }
}
