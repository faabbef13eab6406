import { join } from "node:path";
import { startChild } from "../../bench/peers/child.ts";
import type { Callers } from "./callers.ts";

export interface SchemathesisOptions {
  /** Where it is installed. */
  packages: string;
  /** Where its reports go. */
  report: string;
  config: string;
  /** The folder of hooks.py. */
  hooks: string;
  edge: string;
  callers: Callers;
  maxExamples: number;
  seed: number;
  /** The only operation, by its id; undefined: all. */
  operation: string | undefined;
  signal: AbortSignal;
}

/**
 * What services refuse as INVALID_REQUEST beyond the field rules of their contracts, by operation: a part of the message.
 * Each is told in the contract's comment of the field.
 */
const BEYOND_RULES: Readonly<Record<string, readonly string[]>> = {
  TransferService_CreateTransfer: ["executeTime: ", "expireTime: "],
  TransferBatchService_CreateTransferBatch: ["executeTime: ", "expireTime: ", "csv: ", "lines: must have at least one"],
  ApiClientService_CreateApiClient: ["scopes["],
  ApiClientService_CreateToken: ["form: ", "grantType: ", "scope: "],
  WebhookService_CreateWebhookEndpoint: ["url: ", "eventTypes"],
};

/** Runs it with what it prints shown. @returns its exit code; 0 when every check held. */
export async function runSchemathesis(options: SchemathesisOptions): Promise<number> {
  const { packages, report, config, hooks, edge, callers, maxExamples, seed, operation, signal } = options;
  const child = startChild({
    command: "python3",
    cwd: report, // It keeps notes of its own where it runs.
    args: [
      join(packages, "bin", "schemathesis"),
      ...["--config-file", config],
      ...["run", `${edge}/openapi.json`],
      ...["--phases", "examples,coverage,fuzzing,stateful", "--checks", "all"],
      ...["--max-examples", String(maxExamples), "--seed", String(seed)],
      ...["--report", "ndjson", "--report-ndjson-path", join(report, "events.ndjson")],
      ...(operation === undefined ? [] : ["--include-operation-id", operation]),
    ],
    environment: {
      PYTHONPATH: [packages, hooks].join(":"),
      PYTHONDONTWRITEBYTECODE: "1",
      FERRY_FUZZ_TOKENS: JSON.stringify(callers.tokens),
      FERRY_FUZZ_MEMBERS: JSON.stringify(callers.members),
      FERRY_FUZZ_KNOWN: JSON.stringify(callers.known),
      FERRY_FUZZ_BEYOND_RULES: JSON.stringify(BEYOND_RULES),
    },
  });
  const stop = () => void child.stop();
  signal.addEventListener("abort", stop, { once: true });
  child.process.stdout?.on("data", (text) => process.stdout.write(text));
  child.process.stderr?.on("data", (text) => process.stderr.write(text));
  try {
    const ended = await child.ended;
    return ended === "code 0" ? 0 : Number(/^code (\d+)$/.exec(ended)?.[1] ?? 1);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
