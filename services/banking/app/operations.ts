import type {
  CollectPaymentRequest,
  InquirePaymentRequest,
  SendPaymentRequest,
  VerifyAccountRequest,
  VoidPaymentRequest,
} from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import type { Operation } from "../domain/call.ts";

export type BankingCommand =
  | VerifyAccountRequest
  | SendPaymentRequest
  | CollectPaymentRequest
  | InquirePaymentRequest
  | VoidPaymentRequest;

/** What a command asks of which bank. Both doors, the bus and rpc, come through here. */
export function operationOf(command: BankingCommand): { reference: string; bankCode: string; operation: Operation } {
  const reference = command.reference.toLowerCase();
  switch (command.$typeName) {
    case "ferry.banking.v1.VerifyAccountRequest": {
      const { bankCode = "", accountNumber = "" } = command.account ?? {};
      return { reference, bankCode, operation: { kind: "verify", accountNumber } };
    }
    case "ferry.banking.v1.SendPaymentRequest": {
      const { bankCode = "", accountNumber = "" } = command.creditor ?? {};
      const { currency = "", minorUnits: amountMinor = 0n } = command.amount ?? {};
      return {
        reference,
        bankCode,
        operation: { kind: "send", accountNumber, currency, amountMinor, memo: command.memo },
      };
    }
    case "ferry.banking.v1.CollectPaymentRequest": {
      const { bankCode = "", accountNumber = "" } = command.debtor ?? {};
      const { currency = "", minorUnits: amountMinor = 0n } = command.amount ?? {};
      const { memberId } = command;
      return { reference, bankCode, operation: { kind: "collect", accountNumber, currency, amountMinor, memberId } };
    }
    case "ferry.banking.v1.InquirePaymentRequest":
      return { reference, bankCode: command.bankCode, operation: { kind: "inquire" } };
    case "ferry.banking.v1.VoidPaymentRequest":
      return { reference, bankCode: command.bankCode, operation: { kind: "void" } };
    default:
      return command satisfies never;
  }
}
