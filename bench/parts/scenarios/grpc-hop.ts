import { contestHop } from "../hop/contest.ts";
import { partScenario } from "../part-scenario.ts";

export const scenario = partScenario({
  name: "grpc-hop",
  summary: "One unary gRPC hop alone: both sides' CPU, beside grpc-js by hand and node:http2.",
  unit: "call",
  contest: contestHop,
});
