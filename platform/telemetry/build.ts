import type { Variable } from "@ferry/platform/config";
import { z } from "zod";
import { version } from "./version.ts";

/** What is running. */
export interface Build {
  service: string;
  version: string;
  commit: string;
  /** RFC 3339, UTC. */
  buildTime: string;
}

/** Variables that an image's build sets; the launcher sets them from git in local mode. */
export const buildVariables = {
  commit: { env: "FERRY_COMMIT", schema: z.string(), fallback: "unknown", help: "commit that was built" },
  buildTime: { env: "FERRY_BUILD_TIME", schema: z.string(), fallback: "unknown", help: "when it was built, RFC 3339" },
  logLevel: {
    env: "FERRY_LOG_LEVEL",
    schema: z.enum(["debug", "info", "warn", "error", "silent"]) as unknown as z.ZodType<string, string>,
    fallback: "info",
    help: "debug, info, warn, error or silent",
  },
} satisfies Record<string, Variable<string>>;

export function buildOf(service: string, config: { commit: string; buildTime: string }): Build {
  return { service, version, commit: config.commit, buildTime: config.buildTime };
}
