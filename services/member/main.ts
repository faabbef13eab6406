import { runService } from "@ferry/platform/lifecycle";
import { readConfig } from "./config.ts";
import { createMemberService } from "./service.ts";
import { memberMigrations } from "./store/migrations.ts";

await runService({
  name: "member",
  config: readConfig(),
  migrations: [memberMigrations],
  create: createMemberService,
});
