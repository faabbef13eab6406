// What must hold once the platform is at rest: the books, and the clients' own record of what they were promised.
import { checkBooks } from "../../books/check.ts";
import type { BooksSources, PlatformSources } from "../../books/sources.ts";
import type { Random } from "../random.ts";
import { atOnce, type Clients, resourceOf } from "./clients.ts";
import type { Entry, Journal } from "./journal.ts";

/** Replays for each look: all that were sent more than once, up to this, and others by chance. */
const MAX_REPLAYS = 300;
const REPLAYS_AT_ONCE = 16;
const MAX_EXAMPLES = 3;

export interface Verified {
  findings: string[];
  figures: Record<string, number>;
}

export interface Row {
  id: string;
  state: string;
  /** Why it did not complete; null when it did. */
  code: string | null;
}

function finding(what: string, all: readonly string[]): string[] {
  return all.length === 0 ? [] : [`${what}: ${all.length}, as ${all.slice(0, MAX_EXAMPLES).join(", ")}`];
}

/** I2: what was promised is there exactly once, and what is there was asked for. */
function checkPromises(entries: readonly Entry[], rows: ReadonlyMap<string, Row>): string[] {
  const promised = entries.filter(({ id }) => id !== undefined);
  const ids = new Map(promised.map((entry) => [entry.id!, entry]));
  const unanswered = entries.filter(({ id, refused }) => id === undefined && refused === undefined);
  const unexplained = [...rows.keys()].filter((id) => !ids.has(id));
  const wrong = promised.filter(({ id, operation }) => operation.mustFail && rows.get(id!)?.state === "COMPLETED");
  return [
    ...finding(
      "promised and not there",
      promised.filter(({ id }) => !rows.has(id!)).map(({ id }) => id!),
    ),
    ...(ids.size === promised.length ? [] : [`two keys were answered with one id: ${promised.length - ids.size}`]),
    ...(unexplained.length <= unanswered.length ? [] : finding("there and never asked for", unexplained)),
    ...finding(
      "refused for good",
      entries.flatMap(({ refused }) => (refused === undefined ? [] : [refused])),
    ),
    ...finding(
      "completed although the bank refuses it",
      wrong.map(({ id, operation }) => `${id} (${operation.kind})`),
    ),
  ];
}

function countCancels(entries: readonly Entry[]): Record<string, number> {
  const count = (what: Entry["cancel"]) => entries.filter(({ cancel }) => cancel === what).length;
  return { takenBack: count("taken back"), tooLate: count("too late") };
}

/** I2 for what was taken back: that holds for whoever was told so, and for nobody else. */
export function checkCancels(entries: readonly Entry[], rows: ReadonlyMap<string, Row>): string[] {
  const isCanceled = ({ id }: Entry) => rows.get(id!)?.state === "CANCELED";
  const byMember = ({ id }: Entry) => rows.get(id!)?.code === "CANCELED_BY_MEMBER";
  const all = entries.filter(({ id }) => id !== undefined);
  const told = (what: Entry["cancel"]) => all.filter(({ cancel }) => cancel === what);
  const describe = (wrong: readonly Entry[]) =>
    wrong.map(({ id, operation }) => `${id} (${operation.kind}, ${rows.get(id!)?.state} ${rows.get(id!)?.code})`);
  return [
    ...finding(
      "told that it is taken back, and it is not",
      describe(told("taken back").filter((entry) => !isCanceled(entry) || !byMember(entry))),
    ),
    ...finding("told that it is too late, and it was taken back", describe(told("too late").filter(isCanceled))),
    ...finding(
      "taken back, and nobody asked for that",
      describe(all.filter((entry) => !entry.operation.cancels && isCanceled(entry))),
    ),
  ];
}

/** I3: the same key and body gets the same answer, as a replay, and nothing new comes of it. */
async function checkReplays(
  clients: Clients,
  entries: readonly Entry[],
  rows: ReadonlyMap<string, Row>,
  random: Random,
) {
  const again = entries.filter(({ id, sent }) => id !== undefined && sent > 1);
  const chosen = [
    ...random.shuffled(again).slice(0, MAX_REPLAYS),
    ...random.shuffled(entries).slice(0, MAX_REPLAYS / 3),
  ];
  const wrong = await atOnce(
    chosen.filter(({ id }) => id !== undefined),
    async (entry) => {
      const reply = await clients.ask(entry, 0);
      const { id, state } = reply === undefined ? {} : resourceOf(reply);
      const replayed = reply?.status === 200 && reply.headers.get("idempotency-replayed") === "true";
      const same = id === entry.id && state === rows.get(id ?? "")?.state;
      return replayed && same ? [] : [`${entry.id}: ${reply?.status} ${id} ${state}`];
    },
    REPLAYS_AT_ONCE,
  );
  return { replays: chosen.length, findings: finding("a replay was answered otherwise", wrong.flat()) };
}

/** Everything that somebody asked for, by id: not what came of it, as the lines of a batch, or a payment's own top-up. */
const ASKED_FOR: [service: "transfer" | "payment", sql: string][] = [
  ["transfer", "SELECT id, state, failure_code AS code FROM transfer WHERE batch_id IS NULL"],
  ["transfer", "SELECT id, state, failure_code AS code FROM transfer_batch"],
  ["payment", "SELECT id, state, failure_code AS code FROM top_up WHERE payment_id IS NULL"],
  ["payment", "SELECT id, state, failure_code AS code FROM payment"],
  ["payment", "SELECT id, state, failure_code AS code FROM refund"],
];

async function readRows(sources: BooksSources): Promise<Map<string, Row>> {
  const all: Row[] = [];
  for (const [service, sql] of ASKED_FOR) all.push(...(await sources.query<Row>(service, sql)));
  return new Map(all.map((row) => [row.id, row]));
}

/** Checks a platform that has come to rest: I1, I4 and I6 by the books, I2 and I3 by what clients remember. */
export async function verify(
  clients: Clients,
  journal: Journal,
  sources: PlatformSources,
  random: Random,
): Promise<Verified> {
  const entries = [...journal.entries.values()];
  const rows = await readRows(sources);
  const replayed = await checkReplays(clients, entries, rows, random);
  const after = await readRows(sources);
  const books = await checkBooks(sources);
  const kept = await clients.kept.check(sources);
  return {
    findings: [
      ...books.findings,
      ...checkPromises(entries, after),
      ...checkCancels(entries, after),
      ...kept.findings,
      ...replayed.findings,
      ...(after.size === rows.size ? [] : [`replays recorded ${after.size - rows.size} more`]),
    ],
    figures: { ...books.figures, replays: replayed.replays, told: kept.told, ...countCancels(entries) },
  };
}
