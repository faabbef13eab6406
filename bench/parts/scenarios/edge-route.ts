import { contestEdge } from "../edge/contest.ts";
import { partScenario } from "../part-scenario.ts";

export const scenario = partScenario({
  name: "edge-route",
  summary: "One edge route alone, GET /v1/transfers/{id}: the edge's CPU, beside Fastify and grpc-js by hand.",
  unit: "call",
  contest: contestEdge,
});
