import type { HandlerContext } from "@connectrpc/connect";
import type { WatchTransferRequest } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { memberIdOf } from "@ferry/platform/rpc";
import type { WatchTransfers } from "../app/watch-transfer.ts";

/** The rpc WatchTransfer. The stream ends when the caller goes away, or its deadline passes. */
export function watchTransferHandler(watch: WatchTransfers["watch"]) {
  return ({ transferId, afterVersion }: WatchTransferRequest, context: HandlerContext) => {
    const { signal } = context;
    return watch({ memberId: memberIdOf(context), id: transferId.toLowerCase(), after: afterVersion, signal });
  };
}
