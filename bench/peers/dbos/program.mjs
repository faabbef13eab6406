import { DBOS } from "@dbos-inc/dbos-sdk";

const SYSTEM_POOL_SIZE = 16;

/**
 * DBOS as a library in this process, its system tables in a database beside the ledger's. Each step is
 * a step of the workflow, so its result is committed before the next one starts.
 *
 * @param {import("../workload/program.ts").ProgramContext} context
 * @returns {Promise<import("../workload/program.ts").RunningPeer>}
 */
export async function start({ steps, carryOut, settings }) {
  const durable = Object.fromEntries(
    Object.entries(steps).map(([name, run]) => [name, (...args) => DBOS.runStep(() => run(...args), { name })]),
  );
  const workflow = DBOS.registerWorkflow((transfer) => carryOut(durable, transfer), { name: "transfer" });
  DBOS.setConfig({
    name: "transfers",
    systemDatabaseUrl: settings.systemDatabaseUrl,
    systemDatabasePoolSize: SYSTEM_POOL_SIZE,
    logLevel: "error",
    enableOTLP: false,
  });
  await DBOS.launch();
  return {
    async carryOut([transfer]) {
      const handle = await DBOS.startWorkflow(workflow, { workflowID: transfer.id })(transfer);
      return handle.getResult();
    },
    stop: () => DBOS.shutdown(),
  };
}
