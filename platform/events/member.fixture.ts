// A process that takes one set and never finishes it, to be killed in the middle. Prints "took <count>".
import { createKafkaBus } from "@ferry/platform/events";
import { silentLogger } from "@ferry/platform/telemetry";

const [brokers, group, topic] = process.argv.slice(2);
const bus = createKafkaBus({ brokers: [brokers!], clientId: "killed", logger: silentLogger });
await bus.subscribe({
  ...{ group: group!, topics: [topic!] },
  handle(set) {
    console.log(`took ${set.length}`);
    return new Promise(() => {});
  },
});
