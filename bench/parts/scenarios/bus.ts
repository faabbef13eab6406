import { contestBus } from "../bus/contest.ts";
import { partScenario } from "../part-scenario.ts";

export const scenario = partScenario({
  name: "bus",
  summary: "The bus alone, published and consumed: CPU of client and broker, beside kafkajs as it comes.",
  unit: "message",
  contest: contestBus,
});
