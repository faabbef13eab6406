// Loaded with --import into the processes of a platform that is to be killed at chosen points. Production code
// knows nothing of it: a few modules are wrapped while they are loaded.
import { isMainThread } from "node:worker_threads";
import { processOf } from "../entry.ts";
import { applyPatches, type Patch } from "../patches.ts";
import { openRegistry } from "./registry.ts";
import { wrapBank, wrapBus, wrapCaller, wrapDatabase, wrapOffsets, wrapSender } from "./wrap.ts";

const KEY = "ferry.failpoints";
const HERE = `globalThis[Symbol.for("${KEY}")]`;

/** Wraps what a factory makes. */
function factory(module: string, name: string, wrap: string): Patch {
  return {
    module,
    find: `export function ${name}(`,
    replace: `function ${name}Unwrapped(`,
    append: `export const ${name} = (options: never) => ${HERE}.${wrap}(${name}Unwrapped(options));`,
  };
}

const COMMIT_OFFSETS = "await payload.commitOffsetsIfNecessary({} as KafkaJs.Offsets);";

export const SERVICE_PATCHES: readonly Patch[] = [
  factory("platform/db/database.ts", "openDatabase", "database"),
  factory("platform/events/kafka-bus.ts", "createKafkaBus", "bus"),
  factory("services/banking/clients/bank-client.ts", "createBankClient", "bank"),
  factory("services/notify/clients/http-sender.ts", "createHttpSender", "sender"),
  {
    module: "platform/rpc/client/caller.ts",
    find: "export class Caller {",
    replace: "export class Caller {",
    append: `${HERE}.caller(Caller);`,
  },
  {
    module: "platform/events/kafka-commits.ts",
    find: COMMIT_OFFSETS,
    replace: `await ${HERE}.offsets(group, () => ${COMMIT_OFFSETS.slice("await ".length, -1)});`,
  },
];

/** The launcher takes a process that is killed again and again for one that cannot run: here it is killed on purpose. */
export const LAUNCHER_PATCHES: readonly Patch[] = [
  { module: "local/up/supervisor.ts", find: "const HEALTHY_MS = 30_000;", replace: "const HEALTHY_MS = 300;" },
  { module: "local/up/supervisor.ts", find: "const MAX_FAILURES = 10;", replace: "const MAX_FAILURES = 200;" },
  { module: "local/up/supervisor.ts", find: "const MAX_BACKOFF_MS = 5_000;", replace: "const MAX_BACKOFF_MS = 400;" },
];

function install(directory: string, port: number): void {
  const entry = process.argv[1] ?? "";
  if (entry.replaceAll("\\", "/").endsWith("/local/up.ts")) applyPatches(LAUNCHER_PATCHES);
  const name = processOf(entry);
  if (name === undefined) return;
  const { pass } = openRegistry({ process: name, directory, port });
  Object.assign(globalThis, {
    [Symbol.for(KEY)]: {
      database: (made: Parameters<typeof wrapDatabase>[0]) => wrapDatabase(made, pass),
      bus: (made: Parameters<typeof wrapBus>[0]) => wrapBus(made, pass),
      bank: (made: Parameters<typeof wrapBank>[0]) => wrapBank(made, pass),
      sender: (made: Parameters<typeof wrapSender>[0]) => wrapSender(made, pass),
      caller: (made: Parameters<typeof wrapCaller>[0]) => wrapCaller(made, pass),
      offsets: (group: string, commit: () => Promise<void>) => wrapOffsets(group, commit, pass),
    },
  });
  applyPatches(SERVICE_PATCHES);
}

const { FERRY_FAILPOINTS_DIR: directory, FERRY_FAILPOINTS_PORT: port } = process.env;
if (isMainThread && directory !== undefined && port !== undefined) install(directory, Number(port));
