import { fileURLToPath } from "node:url";
import type { Migrations } from "@ferry/platform/db";

export const memberMigrations: Migrations = {
  name: "member",
  directory: fileURLToPath(new URL("./migrations", import.meta.url)),
};
