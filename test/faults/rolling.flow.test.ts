// F27: every service has two replicas, and all of them restart in turn by SIGTERM, as a deploy does it, while clients
// go on. Callers find both replicas by one name. The edge has one: whoever balances over edges stands before Ferry.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SERVICE_NAMES, SERVICE_PORTS, type ServiceName } from "../../local/up/plan.ts";
import { isReady } from "../prove/matrix/killer.ts";
import type { Called } from "../support/client.ts";
import { REPLICATED } from "../support/detours/detours.ts";
import { findOffset, waitFor } from "../support/platform.ts";
import { SECOND_HOST, SecondReplicas } from "../support/replicas.ts";
import { FULL, HOUR, ProvingGround } from "./proving-ground.ts";

const ROUNDS = FULL || HOUR ? 10 : 2;
const ORDER: readonly ServiceName[] = ["ledger", "transfer", "banking", "payment", "member", "notify"];
/** Which restart in a round: all of them at full length, else one after another. */
const servicesOf = (round: number) => (FULL ? ORDER : [ORDER[round % ORDER.length]!]);
const SERVICES = [...new Set(Array.from({ length: ROUNDS }, (_, round) => servicesOf(round)).flat())];
const RATE_PER_SECOND = 50;
/** Recorded without any restart, to compare with. */
const BASELINE_OPERATIONS = FULL || HOUR ? 1_000 : 300;
const LINES_TOLD = 20;
/** Of two cores a process that starts takes one for more than a second. */
const NOISE_MS = 250;

const skip = process.platform !== "linux"; // Elsewhere there is one address on loopback.

let ground: ProvingGround;
let second: SecondReplicas;
before(async () => {
  if (skip) return;
  const offset = await findOffset();
  const both = Object.fromEntries(
    SERVICE_NAMES.map((name) => [name, `http://${name}${REPLICATED}:${SERVICE_PORTS[name] + offset}`]),
  );
  ground = await ProvingGround.open({
    offset,
    detours: {
      routes: Object.fromEntries([...SERVICE_NAMES, "edge"].map((caller) => [caller, both])),
      replicas: ["127.0.0.1", SECOND_HOST],
    },
    environment: { FERRY_DATABASE_CONNECTIONS: "3" }, // Twice as many processes share PostgreSQL's.
  });
  second = new SecondReplicas(ground.platform, { FERRY_FAILPOINTS_DIR: undefined, FERRY_FAILPOINTS_PORT: undefined });
  await Promise.all(SERVICES.map((name) => second.start(name)));
});
after(async () => {
  await second?.stopAll();
  await ground?.close();
});

/** Stops the launcher's own replica, which it starts again, and waits until that can do its work. */
async function restartFirst(name: ServiceName): Promise<void> {
  const pid = ground.pidOf(name);
  process.kill(pid, "SIGTERM");
  const now = () => ground.platform.readUpFile().processes.find((process) => process.name === name)?.pid;
  await waitFor(`${name} to start again`, () => ![pid, null, undefined].includes(now()));
  await waitFor(`${name} to be ready`, () => isReady(ground.platform, name));
}

async function restartSecond(name: ServiceName): Promise<void> {
  assert.equal(await second.stop(name), 0, `the second ${name} did not end in good order`);
  await second.start(name);
}

/** Members' calls come to these; the others live on messages. */
const CALLED = new Set<ServiceName>(["member", "ledger", "transfer", "payment"]);

/** Calls that a second replica has answered since its start. */
async function servedBySecond(name: ServiceName): Promise<number> {
  const { text = "" } = (await second.probe(name, "/metrics")) ?? {};
  const lines = text.split("\n").filter((line) => line.startsWith("ferry_rpc_server_calls_total{"));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

const isOrder = ({ method, waits }: Called) => method === "POST" && !waits;
const isMoney = ({ path }: Called) => /^\/v1\/(transfers|top-ups|payments|transfer-batches)/.test(path);
const p99Of = (calls: readonly Called[]) =>
  calls.map(({ tookMs }) => tookMs).sort((one, other) => one - other)[Math.floor(calls.length * 0.99)] ?? 0;
const failed = ({ status }: Called) => status === undefined || status >= 500 || status === 429;
/** A call, and what was done meanwhile. */
type CalledMeanwhile = Called & { meanwhile: string };
const describe = ({ method, path, status, code, tookMs, meanwhile }: CalledMeanwhile) =>
  `${method} ${path} ${status} ${code} after ${Math.round(tookMs)} ms, ${meanwhile}`;

/** What the processes say of failures that are nobody's but their own: the data goes with the test. */
function errorsInLogs(): string[] {
  const folder = join(ground.platform.dataDirectory, "logs");
  const lines = readdirSync(folder).flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
  return lines.filter((line) => line.startsWith('{"level":"error"')).slice(0, LINES_TOLD);
}

const alsoQuick = FULL || HOUR ? ", p99 at most doubles" : "";

test(`F27 two replicas that restart in turn, ${ROUNDS} rounds, under load: no call fails, nothing is done twice${alsoQuick}`, {
  skip,
}, async (t) => {
  const [usual, rolling]: CalledMeanwhile[][] = [[], []];
  let restarts = 0;
  let meanwhile = "before any restart";
  const outcome = await ground.under(async (load) => {
    const { edge } = ground.clients;
    edge.onCalled = (called) => void usual!.push({ ...called, meanwhile });
    await ground.progress(load, BASELINE_OPERATIONS);
    edge.onCalled = (called) => void rolling!.push({ ...called, meanwhile });
    for (let round = 0; round < ROUNDS; round++)
      for (const name of servicesOf(round))
        for (const restart of [restartSecond, restartFirst]) {
          meanwhile = `${restart.name} of ${name}, begun ${new Date().toISOString()}`;
          await restart(name);
          restarts++;
          await ground.progress(load, 10);
        }
    edge.onCalled = () => {};
  }, RATE_PER_SECOND);
  for (const name of SERVICES.filter((name) => CALLED.has(name)))
    assert.ok((await servedBySecond(name)) > 0, `the second ${name} had nothing to do`);
  const ends = ground.platform.output.filter((line) => / ended \(/.test(line));
  const p99s = [usual!, rolling!].map((calls) => ({
    recorded: p99Of(calls.filter((call) => isOrder(call) && isMoney(call))),
    ended: p99Of(calls.filter((call) => call.waits)),
    all: p99Of(calls),
  }));
  t.diagnostic(`${restarts} restarts, ${rolling!.length} calls meanwhile; ${outcome}`);
  t.diagnostic(`p99 in ms without restarts and with: ${JSON.stringify(p99s)}`);
  assert.deepEqual(usual!.filter(failed).map(describe), [], "the machine does not carry the load without any restart");
  const failures = rolling!.filter(failed).map(describe);
  if (failures.length > 0) for (const line of errorsInLogs()) t.diagnostic(line);
  assert.deepEqual(failures, []);
  assert.deepEqual(
    ends.filter((line) => !line.includes("(code 0)")),
    [],
    "ended otherwise than in good order",
  );
  if (!FULL && !HOUR) return; // Beside other tests, and with so few calls, the last hundredth says nothing.
  const [before, during] = p99s.map(({ recorded }) => recorded) as [number, number];
  assert.ok(during <= Math.max(2 * before, before + NOISE_MS), `p99 of ${during} ms, ${before} ms without restarts`);
});
