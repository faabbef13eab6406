import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import { BankingService } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { currentContext } from "@ferry/platform/telemetry";
import type { BankCall, RecordedCall } from "../app/bank-call.ts";
import { type BankingCommand, operationOf } from "../app/operations.ts";
import { collectResponse, inquireResponse, sendResponse, verifyResponse, voidResponse } from "../app/replies.ts";
import type { Outcome } from "../domain/call.ts";

const MAX_LISTED = 1_000;

export interface BankingRoutesDeps {
  makeOne(call: BankCall): Promise<Outcome>;
  list(reference: string, limit: number): Promise<RecordedCall[]>;
}

export function bankingRoutes({ makeOne, list }: BankingRoutesDeps): (router: ConnectRouter) => void {
  const make = (command: BankingCommand) =>
    makeOne({ id: newUuid(), ...operationOf(command), route: undefined, traceparent: currentContext().traceparent });

  return (router) => {
    router.service(BankingService, {
      verifyAccount: async (request) => verifyResponse(request.reference, await make(request)),
      sendPayment: async (request) => sendResponse(request.reference, await make(request)),
      collectPayment: async (request) => collectResponse(request.reference, await make(request)),
      inquirePayment: async (request) => inquireResponse(request.reference, await make(request)),
      voidPayment: async (request) => voidResponse(request.reference, await make(request)),
      async listBankCalls({ reference }) {
        const calls = await list(reference, MAX_LISTED);
        return {
          calls: calls.map(({ startedAt, durationMs, ...call }) => ({
            ...call,
            startTime: timestampFromDate(startedAt),
            duration: durationMs === undefined ? undefined : durationFromMs(durationMs),
          })),
        };
      },
    });
  };
}
