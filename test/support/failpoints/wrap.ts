// The platform's ports with failpoints around what leaves a process: commits, publishing, offsets, calls.
import { setImmediate as turn } from "node:timers/promises";
import type { DescMethod } from "@bufbuild/protobuf";
import type { Database, Queryable, Session } from "@ferry/platform/db";
import type { Bus } from "@ferry/platform/events";
import type { Registry } from "./registry.ts";
import { callSite } from "./sites.ts";

type Pass = Registry["pass"];

const WRITES = /^\s*(?:WITH\b[\s\S]*?\b)?(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+"?(\w+)/i;
const ASKS = /^\s*SELECT\b/i;

/** A statement outside of a transaction is a commit of its own, when it writes. */
function wrapQuery(query: Queryable["query"], pass: Pass): Queryable["query"] {
  return async <Row>(text: string, values?: readonly unknown[]) => {
    const write = ASKS.test(text) ? null : WRITES.exec(text);
    if (write === null) return query<Row>(text, values);
    const point = `commit of ${write[1]!.toLowerCase().replace(/\s+/, " ")} ${write[2]}`;
    pass(`${point} (before)`);
    const rows = await query<Row>(text, values);
    pass(`${point} (after)`);
    return rows;
  };
}

function wrapSession(session: Session, pass: Pass): Session {
  return { ...session, ended: session.ended, query: wrapQuery(session.query, pass) };
}

export function wrapDatabase(database: Database, pass: Pass): Database {
  return {
    ...database,
    query: wrapQuery(database.query, pass),
    transaction(work) {
      const point = `commit in ${callSite()}`;
      return database.transaction(async (tx, count) => {
        // The first of the hooks: nothing in this process hears of the commit before.
        tx.afterCommit(() => pass(`${point} (after)`));
        let isBefore = true;
        const passBefore = () => {
          if (isBefore) pass(`${point} (before)`);
          isBefore = false;
        };
        const conclude = tx.conclude.bind(tx);
        // COMMIT leaves at the end of this turn: when the work has ended it is too late to be before it.
        tx.conclude = () => {
          passBefore();
          conclude();
        };
        const result = await work(tx, count);
        passBefore();
        return result;
      });
    },
    session: async () => wrapSession(await database.session(), pass),
  };
}

export function wrapBus(bus: Bus, pass: Pass): Bus {
  return {
    ...bus,
    async publish(records) {
      const topics = [...new Set(records.map(({ topic }) => topic))];
      const each = (what: string, when: string) => {
        for (const topic of topics) pass(`${what} ${topic} (${when})`);
      };
      each("publish to", "before");
      const published = bus.publish(records);
      published.catch(() => {}); // Heard below.
      await turn();
      await turn(); // The request has left, and nobody has answered yet.
      each("publish to", "after");
      await published;
      each("acknowledgement of", "before");
      void turn().then(() => each("acknowledgement of", "after")); // Whoever waited for it has gone on.
    },
  };
}

interface Bank {
  call(reference: string, operation: { kind: string }): Promise<unknown>;
  close(): Promise<void>;
}

export function wrapBank(bank: Bank, pass: Pass): Bank {
  return {
    ...bank,
    async call(reference, operation) {
      pass(`bank ${operation.kind} (before)`);
      const response = await bank.call(reference, operation);
      pass(`bank ${operation.kind} (after)`);
      return response;
    },
  };
}

interface Sender {
  send(call: object): Promise<unknown>;
  close(): Promise<void>;
}

export function wrapSender(sender: Sender, pass: Pass): Sender {
  return {
    ...sender,
    async send(call) {
      pass("webhook (before)");
      const outcome = await sender.send(call);
      pass("webhook (after)");
      return outcome;
    },
  };
}

interface CallerClass {
  prototype: Record<"unary" | "stream", (desc: DescMethod, ...rest: unknown[]) => Promise<unknown>>;
}

export function wrapCaller({ prototype }: CallerClass, pass: Pass): void {
  for (const kind of ["unary", "stream"] as const) {
    const original = prototype[kind];
    prototype[kind] = async function (this: unknown, desc, ...rest) {
      const point = `call of ${desc.parent.typeName.split(".").at(-1)}/${desc.name}`;
      pass(`${point} (before)`);
      const answer = await original.call(this, desc, ...rest);
      pass(`${point} (after)`);
      return answer;
    };
  }
}

export async function wrapOffsets(group: string, commit: () => Promise<void>, pass: Pass): Promise<void> {
  pass(`offsets of ${group} (before)`);
  await commit();
  pass(`offsets of ${group} (after)`);
}
