// Who asks for which transfer, the same for everybody who answers.
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { StepState, type Transfer, TransferSchema, TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { createTokenSigner } from "@ferry/platform/auth";
import { newUuid } from "@ferry/platform/db";

/** A member with a token and one transfer. */
export interface Person {
  memberId: string;
  transferId: string;
  accountId: string;
  authorization: string;
}

/** More than anybody's cache of one, fewer than any bound. */
const PEOPLE = 256;
export const KID = "bench-1";

export function makePeople(privateKeyPem: string): Person[] {
  const signer = createTokenSigner({ kid: KID, privateKeyPem });
  return Array.from({ length: PEOPLE }, () => {
    const memberId = newUuid();
    const token = signer.sign({ memberId, sessionId: newUuid(), role: "member" });
    return { memberId, transferId: newUuid(), accountId: newUuid(), authorization: `Bearer ${token}` };
  });
}

const STEPS = ["verify-account", "place-hold", "send", "settle"];
const BEGAN_MS = Date.UTC(2026, 10, 21, 9);

/** A transfer that has been completed, as the service tells it. */
export function transferOf({ transferId, accountId }: Person): Transfer {
  return create(TransferSchema, {
    id: transferId,
    state: TransferState.COMPLETED,
    sourceAccountId: accountId,
    destination: { kind: { case: "bankAccount", value: { bankCode: "081", accountNumber: "2200004321" } } },
    amount: { currency: "EUR", minorUnits: 2_500n },
    memo: "Invoice 2026/11",
    steps: STEPS.map((name, index) => ({
      name,
      state: StepState.DONE,
      startTime: timestampFromMs(BEGAN_MS + index * 20),
      endTime: timestampFromMs(BEGAN_MS + index * 20 + 17),
      attempts: 1,
    })),
    createTime: timestampFromMs(BEGAN_MS),
    updateTime: timestampFromMs(BEGAN_MS + 80),
  });
}
