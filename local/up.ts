// `npm start`: brings the whole platform up on this machine, sends one transfer through it, shows
// the way it took, and stays up until Ctrl-C.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "@ferry/platform/config";
import { compileCacheDirectory, fillCompileCache } from "./up/compile-cache.ts";
import { describeVariables, readUpConfig, type UpConfig } from "./up/config.ts";
import { type FirstTransfer, sendFirstTransfer } from "./up/first-transfer.ts";
import { describeJourney, wholeWayOf } from "./up/journey.ts";
import { prepareKeys } from "./up/keys.ts";
import { nextSteps } from "./up/next-steps.ts";
import { backingProcesses, platformProcesses, portOf, SERVICE_NAMES } from "./up/plan.ts";
import { expectFreePorts } from "./up/ports.ts";
import { scheduleAsBatch } from "./up/scheduling.ts";
import { StateFile, type UpState } from "./up/state-file.ts";
import { Supervisor } from "./up/supervisor.ts";

const HELP = `npm start [-- options]   brings Ferry up on this machine

  --no-first-transfer   do not send a transfer of the launcher's own
  --help                this text

Environment:
${describeVariables()}`;

const say = (line: string) => void process.stdout.write(`${line}\n`);

function refuse(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** A PostgreSQL of the user's own gets one database for each service. */
async function prepareDatabases(config: UpConfig): Promise<void> {
  if (config.databaseUrl === "") return;
  const { createDatabaseIfMissing } = await import("@ferry/platform/db"); // Only then: it is heavy.
  for (const service of SERVICE_NAMES) await createDatabaseIfMissing(config.databaseUrl, `ferry_${service}`);
}

async function showFirstTransfer(
  transfer: FirstTransfer,
  config: UpConfig,
  supervisor: Supervisor,
  edgeUrl: string,
): Promise<void> {
  const hops = await wholeWayOf(transfer.traceId, join(config.dataDirectory, "logs"));
  const transferAddress = supervisor.processes.find(({ plan }) => plan.name === "transfer")?.plan.address ?? "";
  for (const line of [
    "",
    ...describeJourney(transfer, hops),
    "",
    ...nextSteps(edgeUrl, transferAddress, transfer.demo),
  ])
    say(line);
}

async function up(config: UpConfig, options: { firstTransfer: boolean }): Promise<void> {
  const startedAt = Date.now();
  const since = () => Math.round(Date.now() - startedAt);
  mkdirSync(config.dataDirectory, { recursive: true });
  const stateFile = new StateFile(config);
  const running = stateFile.findRunning();
  if (running !== undefined)
    refuse(
      `Ferry is up already on ${config.dataDirectory} (process ${running}); stop it first, or set FERRY_DATA_DIR and FERRY_PORT_OFFSET for a second one.`,
    );

  scheduleAsBatch();
  const { FERRY_MEMBER_KEY_SECRET: member, FERRY_NOTIFY_KEY_SECRET: notify } = config.environment;
  const keys = prepareKeys(config.dataDirectory, [...SERVICE_NAMES, "edge"], { member, notify });
  const backing = backingProcesses(config);
  const edgeUrl = `http://127.0.0.1:${portOf(config, "edge")}`;
  const state: UpState = { pid: process.pid, edge: edgeUrl, startedAt: new Date(startedAt).toISOString() };
  const supervisor: Supervisor = new Supervisor({
    logDirectory: join(config.dataDirectory, "logs"),
    environment: { NODE_COMPILE_CACHE: compileCacheDirectory, ...config.environment },
    say,
    changed: () => stateFile.write(state, supervisor.processes),
    gaveUp: () => void stop(1),
  });
  let stopping = false;
  async function stop(code: number): Promise<void> {
    if (stopping) return;
    stopping = true;
    say("Stopping …");
    await supervisor.stop();
    stateFile.remove();
    say("Stopped.");
    process.exit(code);
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop(0));

  try {
    await expectFreePorts(backing);
    say(`Ferry: data in ${config.dataDirectory}`);
    await fillCompileCache(config.environment);
    await supervisor.start(backing);
    say(`  ${backing.map(({ name }) => name).join(", ") || "nothing local"} ready after ${since()} ms`);
    await prepareDatabases(config);
    const platform = platformProcesses(config, keys);
    await expectFreePorts(platform);
    await supervisor.start(platform);
    if (stopping) return;
    state.readyMs = since();
    stateFile.write(state, supervisor.processes);
    say(`  ${platform.map(({ name }) => name).join(", ")} ready after ${state.readyMs} ms`);
    if (options.firstTransfer)
      await sendFirstTransfer(edgeUrl, config.dataDirectory).then(
        async (transfer) => {
          state.firstTransferMs = since();
          stateFile.write(state, supervisor.processes);
          await showFirstTransfer(transfer, config, supervisor, edgeUrl);
        },
        (error: Error) => say(`The first transfer did not end well: ${error.message}`), // The platform itself is up.
      );
    say(`Ferry is up: ${edgeUrl}`);
  } catch (error) {
    if (stopping) return;
    process.stderr.write(
      `${error instanceof Error ? error.message : String(error)}\nLogs: ${join(config.dataDirectory, "logs")}\n`,
    );
    await stop(1);
  }
}

const flags = new Set(process.argv.slice(2));
const unknown = [...flags].find((flag) => !["--no-first-transfer", "--help"].includes(flag));
if (unknown !== undefined) refuse(`unknown option ${unknown}\n\n${HELP}`);
if (flags.has("--help")) say(HELP);
else {
  try {
    await up(readUpConfig(), { firstTransfer: !flags.has("--no-first-transfer") });
  } catch (error) {
    refuse(error instanceof ConfigError ? error.message : String(error instanceof Error ? error.stack : error));
  }
}
