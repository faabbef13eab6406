import {
  CollectPaymentResponseSchema,
  InquirePaymentResponseSchema,
  PaymentOutcome,
  SendPaymentResponseSchema,
  VerifyAccountResponseSchema,
  VoidPaymentResponseSchema,
} from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { create } from "@ferry/platform/codec";
import type { OutgoingMessage } from "@ferry/platform/outbox";
import type { Outcome } from "../domain/call.ts";
import type { BankCall } from "./bank-call.ts";

const OUTCOMES = {
  done: PaymentOutcome.DONE,
  refused: PaymentOutcome.REFUSED,
  unknown: PaymentOutcome.UNKNOWN,
  "not-found": PaymentOutcome.NOT_FOUND,
  unavailable: PaymentOutcome.UNKNOWN,
} satisfies Record<Outcome["kind"], PaymentOutcome>;

export const verifyResponse = (reference: string, { failure }: Outcome) =>
  create(VerifyAccountResponseSchema, { reference, failure });
export const sendResponse = (reference: string, { kind, failure }: Outcome) =>
  create(SendPaymentResponseSchema, { reference, outcome: OUTCOMES[kind], failure });
export const collectResponse = (reference: string, { kind, failure }: Outcome) =>
  create(CollectPaymentResponseSchema, { reference, outcome: OUTCOMES[kind], failure });
export const inquireResponse = (reference: string, { kind, failure }: Outcome) =>
  create(InquirePaymentResponseSchema, { reference, outcome: OUTCOMES[kind], failure });
export const voidResponse = (reference: string, { kind, failure }: Outcome) =>
  create(VoidPaymentResponseSchema, { reference, outcome: OUTCOMES[kind], failure });

function contentOf({ reference, operation }: BankCall, outcome: Outcome): Pick<OutgoingMessage, "schema" | "message"> {
  switch (operation.kind) {
    case "verify":
      return { schema: VerifyAccountResponseSchema, message: verifyResponse(reference, outcome) };
    case "send":
      return { schema: SendPaymentResponseSchema, message: sendResponse(reference, outcome) };
    case "collect":
      return { schema: CollectPaymentResponseSchema, message: collectResponse(reference, outcome) };
    case "inquire":
      return { schema: InquirePaymentResponseSchema, message: inquireResponse(reference, outcome) };
    case "void":
      return { schema: VoidPaymentResponseSchema, message: voidResponse(reference, outcome) };
    default:
      return operation satisfies never;
  }
}

/** The reply to a command that came over the bus. */
export function toReply(call: BankCall, outcome: Outcome): OutgoingMessage {
  const { route, traceparent } = call;
  return {
    ...contentOf(call, outcome),
    topic: route?.replyTo,
    sagaId: route?.sagaId,
    sagaStep: route?.sagaStep,
    traceparent,
  };
}
