import type { Destination as WireDestination } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import type { Destination } from "../domain/transfer.ts";

/** Where the money goes, ids in lower case; undefined where nothing is said. */
export function destinationOf(destination: WireDestination | undefined): Destination | undefined {
  const kind = destination?.kind;
  if (kind?.case === "accountId") return { kind: "account", accountId: kind.value.toLowerCase() };
  if (kind?.case !== "bankAccount") return undefined;
  return { kind: "bank", bankCode: kind.value.bankCode, accountNumber: kind.value.accountNumber };
}
