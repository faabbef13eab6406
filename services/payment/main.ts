import { PaymentRecordService } from "@ferry/gen/ferry/banking/v1/payments_pb.ts";
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { PostingService } from "@ferry/gen/ferry/ledger/v1/postings_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { runService } from "@ferry/platform/lifecycle";
import { createRpcClient } from "@ferry/platform/rpc";
import { createPaymentAudit } from "./audit/audit.ts";
import { readConfig } from "./config.ts";
import { createPaymentService, migrations } from "./service.ts";

await runService({
  name: "payment",
  config: readConfig(),
  migrations,
  create(parts) {
    const { memberUrl, ledgerUrl, bankingUrl, parkAfterMs } = parts.config;
    const toLedger = parts.channelTo("ledger", ledgerUrl);
    const ledger = createRpcClient(LedgerService, toLedger);
    const members = createRpcClient(MemberService, parts.channelTo("member", memberUrl));
    const audit = createPaymentAudit({
      ...{ ...parts, parkAfterMs, ledger, postings: createRpcClient(PostingService, toLedger) },
      payments: createRpcClient(PaymentRecordService, parts.channelTo("banking", bankingUrl)),
    });
    return { ...createPaymentService({ ...parts, members, ledger }), audit };
  },
});
