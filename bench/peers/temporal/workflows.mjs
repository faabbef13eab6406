// Bundled by Temporal for its sandbox, which is why the way of a transfer stands here once more.
import { proxyActivities, proxyLocalActivities } from "@temporalio/workflow";

const options = { startToCloseTimeout: "30s", retry: { maximumAttempts: 10 } };
const activities = proxyActivities(options);
const localActivities = proxyLocalActivities(options);

async function carryOut(steps, transfer) {
  if (!(await steps.reserve(transfer)).ok) {
    await steps.record(transfer, "rejected");
    return "rejected";
  }
  const { ok } = await steps.bank(transfer);
  await (ok ? steps.settle(transfer) : steps.release(transfer));
  const outcome = ok ? "settled" : "failed";
  await steps.record(transfer, outcome);
  return outcome;
}

export const transfer = (details) => carryOut(activities, details);
export const transferLocally = (details) => carryOut(localActivities, details);
