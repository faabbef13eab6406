import { loadConfig, portVariable } from "@ferry/platform/config";
import { z } from "zod";

export const variables = {
  port: portVariable("FERRY_POSTGRES_PORT", 5433, "Port of the local PostgreSQL"),
  directory: {
    env: "FERRY_POSTGRES_DIR",
    schema: z.string(),
    fallback: ".ferry/postgres",
    help: "Folder of the local PostgreSQL's data",
  },
};

/** @throws ConfigError that names every bad variable. */
export const readConfig = () => loadConfig(variables, process.env);
