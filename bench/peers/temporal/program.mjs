import { fileURLToPath } from "node:url";
import { Client } from "@temporalio/client";
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";

const TASK_QUEUE = "transfers";
const POLLERS = 8;

/**
 * A worker and a client of Temporal in this process. The style "activities" makes each step an activity,
 * whose result is stored before the next one starts; "local" makes them local activities of one workflow
 * task, and asks for its eager start: the least that the engine can be asked to do.
 *
 * @param {import("../workload/program.ts").ProgramContext} context
 * @returns {Promise<import("../workload/program.ts").RunningPeer>}
 */
export async function start({ steps, inFlight, settings }) {
  const local = settings.style === "local";
  Runtime.install({
    logger: new DefaultLogger("ERROR"),
    telemetryOptions: { logging: { filter: "ERROR", forward: {} } },
  });
  const connection = await NativeConnection.connect({ address: settings.address });
  const worker = await Worker.create({
    connection,
    taskQueue: TASK_QUEUE,
    workflowBundle: await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL("workflows.mjs", import.meta.url)),
      logger: new DefaultLogger("ERROR"),
    }),
    activities: { ...steps },
    maxConcurrentActivityTaskExecutions: 2 * inFlight,
    maxConcurrentLocalActivityExecutions: 2 * inFlight,
    maxConcurrentWorkflowTaskExecutions: inFlight,
    maxConcurrentWorkflowTaskPolls: POLLERS,
    maxConcurrentActivityTaskPolls: POLLERS,
    maxCachedWorkflows: 1_000,
    workflowThreadPoolSize: 1,
    shutdownGraceTime: "2s",
  });
  const running = worker.run();
  const client = new Client({ connection }); // The worker's own connection, as an eager start needs.
  return {
    carryOut: ([transfer]) =>
      client.workflow.execute(local ? "transferLocally" : "transfer", {
        taskQueue: TASK_QUEUE,
        workflowId: transfer.id,
        args: [transfer],
        requestEagerStart: local,
      }),
    async stop() {
      worker.shutdown();
      await running;
    },
  };
}
