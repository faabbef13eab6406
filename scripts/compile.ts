// Fills the compile cache that NODE_COMPILE_CACHE names with all that the processes of a platform run, so that
// none of them needs the compiler of TypeScript itself: it takes 20 MB of memory in each, and half a second.
import "../edge/server.ts";
import "../local/bank/server.ts";
import "../local/broker/server.ts";
import "../local/postgres/server.ts";
import "../services/banking/service.ts";
import "../services/ledger/service.ts";
import "../services/member/service.ts";
import "../services/notify/service.ts";
import "../services/payment/service.ts";
import "../services/transfer/service.ts";
import "@ferry/platform/lifecycle";
