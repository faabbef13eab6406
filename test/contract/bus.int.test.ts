import { createKafkaBus } from "@ferry/platform/events";
import { silentLogger } from "@ferry/platform/telemetry";
import { busContract } from "./bus.ts";
import { availableBrokers } from "./kafka/brokers.ts";

for (const { name, start } of availableBrokers())
  busContract(name, async () => {
    const broker = await start();
    const bus = createKafkaBus({
      ...{ brokers: broker.brokers.split(","), clientId: "contract", logger: silentLogger },
      onFatal(error) {
        throw error;
      },
    });
    return {
      bus,
      async stop() {
        await bus.close();
        await broker.stop();
      },
    };
  });
