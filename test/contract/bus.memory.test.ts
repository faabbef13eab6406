import { createMemoryBus } from "@ferry/platform/events";
import { busContract } from "./bus.ts";

busContract("memory", async () => {
  const bus = createMemoryBus();
  return { bus, stop: () => bus.close() };
});
