import { join } from "node:path";
import type { Migrations } from "@ferry/platform/db";

export { createOutbox, type OutboxOptions } from "./outbox.ts";
export type { Outbox, OutboxStats, OutgoingMessage } from "./types.ts";

export const outboxMigrations: Migrations = { name: "outbox", directory: join(import.meta.dirname, "migrations") };
