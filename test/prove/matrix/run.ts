import { join } from "node:path";
import { type BooksSources, openSources } from "../../books/sources.ts";
import { FailpointControl } from "../../support/failpoints/control.ts";
import { makeOperator } from "../../support/operator.ts";
import { Platform, waitFor } from "../../support/platform.ts";
import { createRandom, type Random } from "../random.ts";
import { Clients } from "./clients.ts";
import { holder } from "./holders.ts";
import { Journal } from "./journal.ts";
import { isHopeless, isReady, Killer, type Point } from "./killer.ts";
import { listener } from "./listeners.ts";
import { Load } from "./load.ts";
import { type Login, newcomer } from "./newcomers.ts";
import { comeToRest } from "./rest.ts";
import { verify } from "./verify.ts";
import { WebhookReceiver } from "./webhooks.ts";

export interface MatrixOptions {
  seed: number;
  /** Kills at each point at most. */
  rounds: number;
  /** A run that would go on for longer ends with the round at hand. */
  minutes: number;
  hot: number;
  cold: number;
  callers: number;
  ratePerSecond: number;
  /** Processes that may be down at once. */
  lanes: number;
  /** Seconds of load in which points are discovered. */
  recordSeconds: number;
  /** Kills that each point is to have: when all others have them, short windows go for those that lack some. */
  least: number;
  /** Processes whose points are killed; empty: all. */
  only: readonly string[];
  signal: AbortSignal;
  say(line: string): void;
  /** Hears of the state after each window. */
  progress(report: MatrixReport): void;
}

export interface Window {
  seconds: number;
  kills: number;
  /** Operations that were recorded while processes were killed. */
  operations: number;
  refusals: Record<string, number>;
  /** From the last kill until everything had ended, in milliseconds. */
  restMs: number;
  /** What did not hold; empty when all did. */
  findings: string[];
  figures: Record<string, number>;
}

export interface MatrixReport {
  seed: number;
  points: Point[];
  windows: Window[];
}

/** A window proves something only when so much was done in it. */
export const LEAST_OPERATIONS = 500;
const REST_MS = 60_000;
const READY_MS = 30_000;
/** A further window needs so much of the time that is left: one that ends before its first kill proves nothing, and is red for that. */
const LEAST_WINDOW_MS = 60_000;
/** In each window so many payments go to a bank that never answers, and have to be parked with their holds. */
const SILENT_PAYMENTS = 3;
/** Of surprises so many are told: they come in numbers. */
const MAX_SURPRISES = 5;

/** One platform under kills, with its clients. */
class Matrix {
  readonly report: MatrixReport;
  readonly #options: MatrixOptions;
  readonly #platform: Platform;
  readonly #control: FailpointControl;
  readonly #clients: Clients;
  readonly #journal: Journal;
  readonly #random: Random;
  readonly #receiver: WebhookReceiver;
  readonly #operator: Login;
  /** Answers that say that Ferry does not know what it did. */
  readonly #internal: string[] = [];

  constructor(
    options: MatrixOptions,
    parts: {
      platform: Platform;
      control: FailpointControl;
      clients: Clients;
      journal: Journal;
      random: Random;
      receiver: WebhookReceiver;
      operator: Login;
    },
  ) {
    this.#options = options;
    this.#platform = parts.platform;
    this.#control = parts.control;
    this.#clients = parts.clients;
    this.#journal = parts.journal;
    this.#random = parts.random;
    this.#receiver = parts.receiver;
    this.#operator = parts.operator;
    this.#clients.edge.onCalled = ({ method, path, status, code }) => {
      if (status === 500) this.#internal.push(`${method} ${path} was answered 500 ${code}`);
    };
    this.report = { seed: options.seed, points: [], windows: [] };
  }

  /** Finds the points that processes pass under load, a restart of each included. */
  async discover(): Promise<void> {
    const { recordSeconds, say, only } = this.#options;
    const load = this.#load();
    const until = Date.now() + recordSeconds * 1_000;
    await waitFor("", () => Date.now() > until, recordSeconds * 2_000);
    await load.stop();
    const wanted = [...this.#control.points].filter(([process]) => only.length === 0 || only.includes(process));
    for (const [process, passed] of wanted)
      for (const point of [...passed].sort())
        this.report.points.push({ process, point, kills: 0, missed: 0, waitedMs: 0, atStart: false });
    say(`${this.report.points.length} points in ${wanted.length} processes`);
  }

  /** Kills at each point once under load, then waits for rest and checks. */
  async window(points: readonly Point[], endAt: number): Promise<Window> {
    const { lanes, say } = this.#options;
    await this.#clients.logInAgain();
    const before = points.map(({ kills }) => kills);
    const startedAt = Date.now();
    const load = this.#load();
    let kills = 0;
    const killer = new Killer({
      ...{ platform: this.#platform, control: this.#control, random: this.#random, lanes },
      killed: ({ process, point }) => {
        kills++;
        if (kills % 20 === 0) say(`  ${kills} kills, ${load.recorded} operations; the last: ${process}, ${point}`);
      },
    });
    const findings: string[] = [];
    const timer = AbortSignal.timeout(Math.max(1, endAt - Date.now()));
    await killer
      .killAtEach(points, AbortSignal.any([timer, this.#options.signal]))
      .catch((error: Error) => findings.push(error.message));
    this.#control.disarmAll();
    await waitFor("", () => load.recorded >= LEAST_OPERATIONS, READY_MS).catch(() => {});
    const stoppedAt = Date.now();
    await load.stop();
    const checked = await this.#check(load);
    findings.push(...checked.findings);
    if (load.recorded < LEAST_OPERATIONS) findings.push(`only ${load.recorded} operations: the window proves nothing`);
    if (kills === 0) findings.push("nothing was killed: the window proves nothing");
    if (findings.length > 0) for (const [index, point] of points.entries()) point.kills = before[index]!; // They do not count.
    const refusals = Object.fromEntries(load.refusals);
    const seconds = Math.round((stoppedAt - startedAt) / 1_000);
    return { ...checked, seconds, kills, operations: load.recorded, refusals, findings };
  }

  /** Who asked to hear of completed transfers hears of each, however often notify was killed. */
  async #missedWebhooks(sources: BooksSources): Promise<string[]> {
    const { subscribers } = this.#clients;
    const of = subscribers.map((id) => `'${id}'`).join(",");
    const sql = `SELECT id FROM transfer WHERE state = 'COMPLETED' AND member_id IN (${of})`;
    const completed = await sources.query<{ id: string }>("transfer", sql);
    const missed = () => completed.filter(({ id }) => !this.#receiver.heard.has(id));
    await waitFor("", () => missed().length === 0, WEBHOOKS_MS).catch(() => {});
    const [example] = missed();
    return example === undefined ? [] : [`${missed().length} webhooks never came, as for ${example.id}`];
  }

  #load(): Load {
    const { callers, ratePerSecond } = this.#options;
    const { clients, random } = { clients: this.#clients, random: this.#random.fork("load") };
    const operator = this.#operator;
    const walks = [newcomer(operator), newcomer(operator), holder(operator), listener(this.#receiver)];
    return new Load({ clients, random, callers, ratePerSecond, silentPayments: SILENT_PAYMENTS, walks });
  }

  async #check(load: Load): Promise<Pick<Window, "findings" | "figures" | "restMs">> {
    const findings: string[] = [];
    for (const process of this.#control.points.keys())
      await waitFor(`${process} to be ready`, () => isReady(this.#platform, process), READY_MS).catch((error: Error) =>
        findings.push(error.message),
      );
    const sources = openSources({ databaseUrl: this.#platform.databaseUrl, bankUrl: this.#platform.bankControl });
    try {
      const rest = await comeToRest(this.#platform, sources, REST_MS);
      findings.push(...rest.open.map((what) => `not at rest after ${REST_MS / 1_000} s: ${what}`));
      const [givenUp] = this.#clients.givenUp.splice(0);
      if (load.unanswered > 0) findings.push(`${load.unanswered} requests were never answered, as ${givenUp}`);
      findings.push(...load.surprises.slice(0, MAX_SURPRISES), ...this.#internal.splice(0).slice(0, MAX_SURPRISES));
      findings.push(...(await this.#missedWebhooks(sources)));
      const verified = await verify(this.#clients, this.#journal, sources, this.#random);
      return { findings: [...findings, ...verified.findings], figures: verified.figures, restMs: rest.ms };
    } finally {
      await sources.close();
    }
  }
}

/** Points of a short window, with those that lack nothing: else one whose points are never reached would prove nothing. */
const SHORT_WINDOW = 30;

/** The points of the next window: all, until few lack kills, whom the rest of the time is for. */
function nextPoints(points: readonly Point[], least: number, random: Random): Point[] {
  const live = points.filter((point) => !isHopeless(point));
  const lacking = live.filter(({ kills }) => kills < least);
  if (lacking.length === 0 || lacking.length >= SHORT_WINDOW) return live;
  const others = random.shuffled(live.filter(({ kills }) => kills >= least));
  return [...lacking, ...others.slice(0, SHORT_WINDOW - lacking.length)];
}

/** Webhooks are sent again soon enough for a window. */
const WEBHOOKS = { FERRY_NOTIFY_RETRY_DELAYS_MS: "200,400,800,1600,3200,5000", FERRY_NOTIFY_TIMEOUT_MS: "2000" };
const WEBHOOKS_MS = 30_000;

/** Runs the matrix on a platform of its own. @returns the report; windows tell what did not hold. */
export async function runMatrix(options: MatrixOptions): Promise<MatrixReport> {
  const { seed, rounds, minutes, hot, cold, signal, say, progress } = options;
  const random = createRandom(seed);
  const control = await FailpointControl.open();
  const receiver = await WebhookReceiver.start();
  let platform: Platform | undefined;
  try {
    platform = await Platform.start({ environment: { ...control.environment, ...WEBHOOKS } });
    const journal = new Journal(join(control.directory, "journal.jsonl"));
    const clients = new Clients({ edgeUrl: platform.edge, journal, random: random.fork("clients") });
    await clients.setUp(hot, cold);
    await clients.subscribe(receiver.url);
    const operator = { email: "operator@example.com", password: await makeOperator(platform, "operator@example.com") };
    say(`platform up, ${hot} hot and ${cold} cold accounts funded`);
    const matrix = new Matrix(options, { platform, control, clients, journal, random, receiver, operator });
    await matrix.discover();
    const endAt = Date.now() + minutes * 60_000;
    const hasTime = (round: number) => round === 1 || endAt - Date.now() > LEAST_WINDOW_MS;
    for (let round = 1; round <= rounds && hasTime(round) && !signal.aborted; round++) {
      const window = await matrix.window(
        nextPoints(matrix.report.points, options.least, random.fork(`window ${round}`)),
        endAt,
      );
      matrix.report.windows.push(window);
      progress(matrix.report);
      const state = window.findings.length === 0 ? "holds" : `BREACH: ${window.findings.join("; ")}`;
      say(
        `round ${round}: ${window.kills} kills, ${window.operations} operations in ${window.seconds} s, at rest after ${Math.round(window.restMs / 1_000)} s: ${state}`,
      );
    }
    await journal.close();
    return matrix.report;
  } finally {
    await platform?.stop();
    receiver.close();
    control.close();
  }
}
