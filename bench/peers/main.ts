// `node bench/peers/main.ts`: the peers alone, without Ferry.
import { parseArgs } from "node:util";
import { PEERS } from "./catalogue.ts";
import { runPeers } from "./run-peers.ts";

const HELP = `node bench/peers/main.ts [options]   measures what a team could take instead of Ferry

  --seconds N   seconds measured for each (default 10)
  --only NAME   which; may be given more than once, or as a list with commas (default: all)
  --json        print the results as JSON, and nothing else on standard output
  --help        this text

${PEERS.map(({ name, note }) => `  ${name.padEnd(15)} ${note}`).join("\n")}

Exit code: 0; 1 when a peer's books do not hold; 2 when an option is wrong; 130 when interrupted.`;

const MAX_SECONDS = 3_600;
const INTERRUPTED = 130;

function refuse(message: string): never {
  process.stderr.write(`${message}\n\n${HELP}\n`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        seconds: { type: "string", default: "10" },
        only: { type: "string", multiple: true },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

const values = readArguments();
if (values.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}
const seconds = Number(values.seconds);
if (!(seconds >= 1 && seconds <= MAX_SECONDS)) refuse(`--seconds takes a number from 1 to ${MAX_SECONDS}`);
const only = values.only?.flatMap((text) => text.split(","));
const unknown = only?.find((name) => !PEERS.some((peer) => peer.name === name));
if (unknown !== undefined) refuse(`--only: there is no peer "${unknown}"`);

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => interrupted.abort(new Error(signal)));

const log = (line: string) => void (values.json ? process.stderr : process.stdout).write(`${line}\n`);
try {
  const results = await runPeers({ seconds, ...(only === undefined ? {} : { only }), log, signal: interrupted.signal });
  if (values.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  else for (const { peer, note } of results) log(`${peer}: ${note}`);
  process.exitCode = results.some((result) => "booksOk" in result && !result.booksOk) ? 1 : 0;
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  log("Stopped.");
  process.exitCode = INTERRUPTED;
}
