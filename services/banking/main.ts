import { runService } from "@ferry/platform/lifecycle";
import { readConfig } from "./config.ts";
import { createBankingService, migrations } from "./service.ts";

await runService({ name: "banking", config: readConfig(), migrations, create: createBankingService });
