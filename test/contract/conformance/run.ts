import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HELP = `node test/contract/conformance/run.ts [server|client|doors] [-- options of connectconformance]

Holds platform/rpc against the conformance suite of the Connect project, as server and as client of gRPC over HTTP/2,
and the edge's doors: the Connect protocol and gRPC-Web over HTTP/1.1. All three without an argument.
CONNECTCONFORMANCE names the program where it is not on the path.
`;
/** What is tested: the suite's mode for it, and what it says to support. */
const SYSTEMS = {
  server: { mode: "server", config: "config.yaml" },
  client: { mode: "client", config: "config.yaml" },
  doors: { mode: "server", config: "config-doors.yaml" },
};
type System = keyof typeof SYSTEMS;
const MODULE = "connectrpc.com/conformance";
const INSTALL = `go install ${MODULE}/cmd/connectconformance@v1.0.6`;

const program = process.env.CONNECTCONFORMANCE || "connectconformance";
const here = import.meta.dirname;

/** What a program prints; undefined when there is no such program. */
function output(command: string, ...args: string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: "utf8" }).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes the descriptors of the suite's contract, whose files Go keeps beside the program's source. */
function describeContract(version: string, path: string): void {
  const modules = output("go", "env", "GOMODCACHE");
  if (modules === undefined) throw new Error("go is not on the path: the suite's contract is in its module cache");
  const buf = join(here, "../../../node_modules/.bin/buf");
  output(buf, "build", join(modules, `${MODULE}@${version}`, "proto"), "-o", path);
}

function runSuite(system: System, descriptors: string, options: readonly string[]): Promise<boolean> {
  const { mode, config } = SYSTEMS[system];
  const tested = [process.execPath, join(here, `${system}.ts`), descriptors];
  const args = ["--mode", mode, "--conf", join(here, config), ...options, "--", ...tested];
  process.stdout.write(`${system}\n`);
  const child = spawn(program, args, { stdio: "inherit" });
  return new Promise((resolve) => child.once("close", (code) => resolve(code === 0)));
}

async function main(): Promise<boolean> {
  const [first, ...rest] = process.argv.slice(2);
  if (first === "--help") {
    process.stdout.write(HELP);
    return true;
  }
  const named = (Object.keys(SYSTEMS) as System[]).filter((system) => system === first);
  const version = /v\d+\.\d+\.\d+/.exec(output(program, "--version") ?? "")?.[0];
  if (version === undefined) {
    process.stderr.write(`There is no ${program}. Nothing was checked. To have it: ${INSTALL}\n`);
    return false;
  }
  const directory = mkdtempSync(join(tmpdir(), "ferry-conformance-"));
  try {
    const descriptors = join(directory, "contract.binpb");
    describeContract(version, descriptors);
    const options = (named.length > 0 ? rest : process.argv.slice(2)).filter((each) => each !== "--");
    let allPassed = true;
    for (const system of named.length > 0 ? named : (Object.keys(SYSTEMS) as System[]))
      allPassed = (await runSuite(system, descriptors, options)) && allPassed;
    return allPassed;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

process.exitCode = (await main()) ? 0 : 1;
