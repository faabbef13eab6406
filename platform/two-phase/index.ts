import { join } from "node:path";
import type { Migrations } from "@ferry/platform/db";

export { type CoordinatorOptions, createCoordinator } from "./coordinator.ts";
export { inDoubtRoutes } from "./rpc.ts";
export type {
  Coordinator,
  Decision,
  InDoubtList,
  InDoubtTransaction,
  OperatorDecision,
  Participant,
  TwoPhaseStats,
} from "./types.ts";

/** The coordinator's log, in a database of the coordinator's own. */
export const twoPhaseMigrations: Migrations = {
  name: "two_phase",
  directory: join(import.meta.dirname, "migrations"),
};
