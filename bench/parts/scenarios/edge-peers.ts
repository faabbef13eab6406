import type { Scenario } from "../../scenario.ts";
import { contestEdgePeers } from "../edge-peers/contest.ts";
import { factsOf, linesOf } from "../edge-peers/table.ts";
import { measuredOf } from "../part-scenario.ts";

/** Of each edge and kind of request, in all rounds together. */
const MEASURED_SECONDS = 6;

export const scenario: Scenario = {
  name: "edge-peers",
  summary: "One route that reads and one that writes through the edge and through its peers: requests per CPU second.",
  unit: "call",
  seconds: MEASURED_SECONDS,
  async run({ options, log }) {
    const result = await contestEdgePeers({ seconds: options.seconds, log });
    for (const line of linesOf(result)) log(`  ${line}`);
    return { ...measuredOf(result), facts: factsOf(result) };
  },
};
