import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { runService } from "@ferry/platform/lifecycle";
import { createRpcClient } from "@ferry/platform/rpc";
import { readConfig } from "./config.ts";
import { createTransferService, migrations } from "./service.ts";

await runService({
  name: "transfer",
  config: readConfig(),
  migrations,
  create: (parts) =>
    createTransferService({
      ...parts,
      members: createRpcClient(MemberService, parts.channelTo("member", parts.config.memberUrl)),
      ledger: createRpcClient(LedgerService, parts.channelTo("ledger", parts.config.ledgerUrl)),
    }),
});
