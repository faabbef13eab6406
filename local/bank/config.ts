import { loadConfig, portVariable } from "@ferry/platform/config";
import { z } from "zod";

export const variables = {
  port: portVariable("FERRY_BANK_PORT", 9200, "Port of the local bank's API"),
  controlPort: portVariable("FERRY_BANK_CONTROL_PORT", 9201, "Port of the local bank's control API"),
  directory: {
    env: "FERRY_BANK_DIR",
    schema: z.string(),
    fallback: ".ferry/bank",
    help: "Folder of the local bank's books",
  },
};

/** @throws ConfigError that names every bad variable. */
export const readConfig = () => loadConfig(variables, process.env);
