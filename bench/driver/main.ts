// The driver: a process of its own, so that its CPU is told apart from the platform's. It does what it
// is told over IPC (see protocol.ts) and ends with the process that started it.
import { createHttpClient, type HttpClient } from "./http.ts";
import { type LoadRun, startLoop } from "./loops.ts";
import type { Answer, Command, DriverSetUp, LoadPlan, Progress } from "./protocol.ts";
import { Recorder } from "./recorder.ts";
import { Tokens } from "./tokens.ts";
import { createWorkload } from "./workload.ts";

/** Connections for renewing tokens beside the load. */
const SPARE_CONNECTIONS = 2;

const tell = (message: Answer | Progress) => process.send?.(message);
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

const recorder = new Recorder(
  () => performance.now(),
  cpuMs,
  (second) => tell({ type: "second", second }),
);

let setUp: DriverSetUp | undefined;
let tokens: Tokens | undefined;
let running: { run: LoadRun; http: HttpClient; timer: NodeJS.Timeout } | undefined;

function prepare(given: DriverSetUp): void {
  setUp = given;
  const http = createHttpClient(given.edge, SPARE_CONNECTIONS);
  tokens = new Tokens(given.members, http, (what, example) => recorder.record({ kind: "failed", what, example }, 0));
  tokens.start();
}

function start({ mix, loop }: LoadPlan): void {
  if (setUp === undefined || tokens === undefined) throw new Error("the driver was not set up");
  if (running !== undefined) throw new Error("a load is running");
  const http = createHttpClient(setUp.edge, loop.kind === "closed" ? loop.inFlight : loop.maxOpen);
  const known = tokens;
  const workload = createWorkload(mix, setUp.payers, (member) => known.of(member));
  recorder.take();
  const timer = setInterval(() => recorder.endSecond(), 1_000);
  running = { run: startLoop({ http, workload, recorder }, loop), http, timer };
}

async function stop(): Promise<void> {
  if (running === undefined) return;
  await running.run.stop();
  clearInterval(running.timer);
  await running.http.close();
  running = undefined;
}

async function carryOut(command: Command): Promise<Answer> {
  switch (command.type) {
    case "set-up":
      prepare(command.setUp);
      return { type: "done" };
    case "start":
      start(command.plan);
      return { type: "done" };
    case "change-rate":
      running?.run.changeRate(command.ratePerSecond);
      return { type: "done" };
    case "take":
      return { type: "figures", figures: recorder.take() };
    case "stop":
      await stop();
      return { type: "figures", figures: recorder.take() };
    default:
      return command satisfies never;
  }
}

process.on("message", (command: Command) => {
  carryOut(command).then(tell, (error: Error) => tell({ type: "broken", message: String(error.stack) }));
});
process.on("SIGINT", () => {}); // Ctrl-C in a terminal reaches the whole group: the bench ends in order.
process.on("disconnect", () => process.exit(0));
