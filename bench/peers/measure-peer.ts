import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { startPostgres } from "../../local/postgres/server.ts";
import { hasProc } from "../../test/support/processes.ts";
import type { Peer } from "./catalogue.ts";
import { startChild, withinLimit } from "./child.ts";
import type { Engine } from "./engine.ts";
import { type InstallOptions, installPackages } from "./install.ts";
import { explain, type PeerResult, reasonOf, toResult } from "./result.ts";
import type { DriverReport, Job } from "./workload/program.ts";

const IN_FLIGHT = 64;
/** For loading, draining and checking, beside the warm-up and the window. */
const DRIVER_LIMIT_MS = 90_000;

export interface PeerWindow {
  warmUpSeconds: number;
  seconds: number;
}

export interface MeasureOptions extends PeerWindow {
  /** The folder that holds the peers' own. */
  sources: string;
  /** Where peers are installed, each in a folder of its own. */
  installed: string;
  signal: AbortSignal;
  log(line: string): void;
}

/** Runs the job in a process of its own. @throws Error when that ends without a report, or takes too long. */
async function runDriver(job: Job, signal: AbortSignal): Promise<DriverReport> {
  const child = startChild({
    command: process.execPath,
    args: ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "workload", "main.ts")],
    environment: { RESTATE_LOGGING: "ERROR", NODE_ENV: "production" },
    messages: true,
  });
  const reported = new Promise<DriverReport>((resolve, reject) => {
    child.process.once("message", (report) => resolve(report as DriverReport));
    child.ended.then((how) => reject(new Error(`Its program ended (${how}): ${child.lastWords()}`)));
  });
  try {
    if (child.pid !== undefined) child.process.send(job, () => {}); // One that has ended is told by `ended`.
    const limitMs = (job.warmUpSeconds + job.seconds) * 1_000 + DRIVER_LIMIT_MS;
    const report = await withinLimit(reported, limitMs, signal);
    signal.throwIfAborted();
    if (report === undefined) throw new Error(`Its program gave no figures within ${limitMs / 1_000} s`);
    return report;
  } finally {
    await child.stop();
  }
}

/** A fresh folder directly under the system's, where PostgreSQL's unprivileged user may enter. */
async function makeFolder(cleanup: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ferry-peer-"));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Installs a peer, brings it up on a PostgreSQL of its own, drives it, and takes all down again. */
async function measure(peer: Peer, window: PeerWindow, install: InstallOptions): Promise<DriverReport> {
  const { log, signal } = install;
  if (peer.packages) await installPackages(install);
  await using cleanup = new AsyncDisposableStack();
  let engine: Engine | undefined;
  if (peer.startEngine !== undefined) {
    engine = await peer.startEngine({ install, directory: await makeFolder(cleanup) });
    cleanup.defer(engine.stop);
  }
  signal.throwIfAborted();
  const databases = ["peer", ...(peer.systemDatabase ? ["peer_system"] : [])];
  const postgres = await startPostgres({ directory: await makeFolder(cleanup), port: 0, durable: true, databases });
  cleanup.defer(() => rm(postgres.home, { recursive: true, force: true }));
  cleanup.defer(postgres.stop);
  log(
    `${peer.name}: ${window.warmUpSeconds} s of warm-up, ${window.seconds} s measured, ${IN_FLIGHT} transfers in flight`,
  );
  const folder = peer.packages ? install.target : install.source;
  const job: Job = {
    program: pathToFileURL(join(folder, basename(peer.program))).href,
    databaseUrl: postgres.url("peer"),
    settings: {
      ...peer.settings,
      ...engine?.settings,
      ...(peer.systemDatabase ? { systemDatabaseUrl: postgres.url("peer_system") } : {}),
    },
    inFlight: IN_FLIGHT,
    ...window,
    roots: { postgres: postgres.pid, ...(engine === undefined ? {} : { engine: engine.pid }) },
  };
  return await runDriver(job, signal); // Awaited here: all is taken down when this function returns.
}

/**
 * Measures one peer; what cannot be had, or does not work, gives its reason as a result.
 *
 * @throws the signal's reason when that is aborted.
 */
export async function measurePeer(peer: Peer, options: MeasureOptions): Promise<PeerResult> {
  const { sources, installed, signal, log, seconds, warmUpSeconds } = options;
  const { name, note } = peer;
  if (!hasProc) return { peer: name, note, unavailable: "CPU time is read from /proc, which this system has not" };
  const folder = dirname(peer.program);
  const install = { source: join(sources, folder), target: join(installed, folder), signal, log };
  try {
    signal.throwIfAborted();
    const report = await measure(peer, { warmUpSeconds, seconds }, install);
    for (const line of explain(report)) log(line);
    return toResult(peer, report);
  } catch (error) {
    signal.throwIfAborted();
    return { peer: name, note, unavailable: reasonOf(error) };
  }
}
