import { createKafkaBus } from "@ferry/platform/events";
import { createLogger } from "@ferry/platform/telemetry";
import type { BusWay } from "./records.ts";

/** Our bus: platform/events, as the services use it. */
export const open: BusWay["open"] = async ({ brokers, topic, received }) => {
  const bus = createKafkaBus({ brokers, clientId: "bench", logger: createLogger({ service: "bus", level: "error" }) });
  await bus.ensureTopics([{ name: topic }]);
  await bus.subscribe({
    group: `bench-${topic}`,
    topics: [topic],
    async handle(set) {
      for (const { headers } of set) received(headers);
    },
  });
  return { publish: (records) => bus.publish(records), close: () => bus.close() };
};
