import { join } from "node:path";
import type { Migrations } from "@ferry/platform/db";

export { createInbox, createInboxPurger, purgeInbox } from "./inbox.ts";
export type { Inbox } from "./types.ts";

export const inboxMigrations: Migrations = { name: "inbox", directory: join(import.meta.dirname, "migrations") };
