import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { nodeArguments } from "../../../local/up/plan.ts";
import { Child } from "../child.ts";
import { type Contender, type ContestOptions, type ContestResult, compete } from "../contest.ts";
import type { BusName } from "./process.ts";
import { makeSets } from "./records.ts";

const REPOSITORY = resolve(import.meta.dirname, "../../..");
const WAYS: readonly BusName[] = ["ferry", "kafkajs"];

/** Starts the development broker as the launcher does. @throws Error with its last words when it does not start. */
function startBroker(directory: string): Promise<{ process: ChildProcess; address: string }> {
  const broker = spawn(process.execPath, [...nodeArguments("broker"), join(REPOSITORY, "local/broker/main.ts")], {
    env: { ...process.env, FERRY_BROKER_PORT: "0", FERRY_BROKER_DIR: join(directory, "broker") },
    stdio: ["ignore", "pipe", "pipe", "ipc"], // The channel ends with this process, and the broker with the channel.
  });
  return new Promise((started, fail) => {
    let words = "";
    broker.stderr?.on("data", (text) => {
      words = (words + text).slice(-2_000);
    });
    broker.once("exit", () => fail(new Error(`the broker ended: ${words}`)));
    createInterface({ input: broker.stdout! }).on("line", (line) => {
      const { ready, port } = JSON.parse(line) as { ready?: boolean; port?: number };
      if (ready) started({ process: broker, address: `127.0.0.1:${port}` });
    });
  });
}

/** The bus alone, ours beside kafkajs as it comes: CPU of the client and of the broker for a message, sent and received. */
export async function contestBus(options: ContestOptions): Promise<ContestResult> {
  const directory = mkdtempSync(join(tmpdir(), "ferry-bench-bus-"));
  const children = WAYS.map(() => new Child("bus/process.ts"));
  let broker: ChildProcess | undefined;
  try {
    const started = await startBroker(directory);
    broker = started.process;
    const brokerPid = broker.pid ?? 0;
    const contenders = WAYS.map((way, index): Contender => {
      const child = children[index]!;
      return {
        name: way,
        roots: { client: child.pid, broker: brokerPid },
        run: (seconds) => child.ask("load", { seconds }),
      };
    });
    const brokers = [started.address];
    for (const [index, way] of WAYS.entries()) {
      const topic = `bench.${way}`;
      await children[index]!.ask("open", { way, brokers, topic, given: makeSets(topic) });
    }
    const result = await compete(contenders, options);
    await Promise.all(children.map((child) => child.ask("close")));
    return result;
  } finally {
    await Promise.all(children.map((child) => child.end()));
    if (broker !== undefined && broker.exitCode === null) {
      const ended = new Promise((done) => broker?.once("exit", done));
      broker.kill("SIGTERM");
      await ended;
    }
    rmSync(directory, { recursive: true, force: true });
  }
}
