import { runService } from "@ferry/platform/lifecycle";
import { readConfig } from "./config.ts";
import { createNotifyService, migrations } from "./service.ts";

await runService({ name: "notify", config: readConfig(), migrations, publishes: false, create: createNotifyService });
