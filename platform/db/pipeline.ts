import type { Writable } from "node:stream";
import pg from "pg";
import { serialize } from "pg-protocol";
import { namedLostRace } from "./lost-race.ts";
import { type Parameter, toParameters } from "./parameters.ts";

/** What PostgreSQL says of a statement behind one that failed. */
export const ABORTED = "25P02";

type Row = Record<string, unknown>;

/** What the answers of a named statement look like: the same for as long as its connection lives. */
interface Shape {
  names: readonly string[];
  parsers: readonly ((text: string) => unknown)[];
}

interface Field {
  name: string;
  dataTypeID: number;
}

/** As far as pg's own Query uses a connection. */
interface Wire {
  readonly stream: Writable;
  /** Texts by name: those that the server has, and those on their way there. */
  readonly parsedStatements: Record<string, string | undefined>;
  readonly submittedNamedStatements: Record<string, string | undefined>;
}

const NO_ROWS: Shape = { names: [], parsers: [] };
const shapesOf = new WeakMap<Wire, Map<string, Shape>>();
/** Where a transaction begins and ends is to be seen in every message on the wire. */
const statementNames = new Map(["BEGIN", "COMMIT", "ROLLBACK"].map((text) => [text, text]));

/** Named statements are planned once for each connection. Texts are constants in the code, so their number is bounded. */
function nameOf(text: string): string {
  let name = statementNames.get(text);
  if (name === undefined) {
    name = `s${statementNames.size}`;
    statementNames.set(text, name);
  }
  return name;
}

export interface StatementOptions {
  /** Whether the server keeps it under a name: not where its text is made from values. Default true. */
  isNamed?: boolean;
  /** Hears of its failure, before whoever waits for the answer. */
  hasFailed?: (error: unknown) => void;
}

/** One statement of a pipeline, and its answer. */
export class Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly Parameter[];
  /** Its rows, once nothing that left with it can change them any more. */
  readonly answer: Promise<Row[]>;
  /** What was done, as "UPDATE 5"; empty before the answer. */
  command = "";
  readonly rows: Row[] = [];
  readonly #settle = Promise.withResolvers<Row[]>();
  readonly #hasFailed: ((error: unknown) => void) | undefined;

  /** @throws TypeError, RangeError for values that cannot be sent. */
  constructor(text: string, values: readonly unknown[] = [], { isNamed = true, hasFailed }: StatementOptions = {}) {
    this.name = isNamed ? nameOf(text) : "";
    this.text = text;
    this.values = toParameters(values);
    this.answer = this.#settle.promise;
    this.#hasFailed = hasFailed;
  }

  answered(): void {
    this.#settle.resolve(this.rows);
  }

  failed(thrown: unknown): void {
    const error = namedLostRace(thrown);
    this.#hasFailed?.(error);
    this.#settle.reject(error);
  }
}

/**
 * Statements that leave in one write, with one Sync behind them: the server looks at all of them before it answers,
 * and answers in one write too. For each statement by itself that would be a system call there and a read here. When
 * one fails, the server leaves out those behind it, a COMMIT too. What is asked for outside of a transaction stands
 * alone, as a Sync is its commit.
 *
 * To pg it is one query; its own describes each answer anew, which costs as much as all else of a small one.
 */
export class Pipeline extends pg.Query {
  /** Of the statement whose answer comes next: pg notes what is parsed by it. */
  declare name: string;
  declare text: string;
  /** Ends the time-out that pg has set. */
  declare callback: ((error: unknown) => void) | undefined;
  readonly statements: readonly Statement[];
  #at = 0;
  #wire: Wire | undefined;
  #shapes = new Map<string, Shape>();
  #over = false;

  /** @param statements At least one. */
  constructor(statements: readonly Statement[]) {
    super("");
    this.statements = statements;
    this.#goTo(0);
  }

  override submit = (connection: pg.Connection): void => {
    const wire = connection as unknown as Wire;
    this.#wire = wire;
    this.#shapes = shapesOf.get(wire) ?? this.#shapes;
    shapesOf.set(wire, this.#shapes);
    const parts: Buffer[] = [];
    for (const statement of this.statements) this.#add(parts, wire, statement);
    parts.push(serialize.sync());
    wire.stream.write(Buffer.concat(parts));
  };

  #add(parts: Buffer[], wire: Wire, { name, text, values }: Statement): void {
    const { parsedStatements: parsed, submittedNamedStatements: submitted } = wire;
    if (name === "" || (parsed[name] === undefined && submitted[name] === undefined)) {
      parts.push(serialize.parse({ name, text }));
      if (name !== "") submitted[name] = text;
    }
    parts.push(serialize.bind({ statement: name, values: [...values] }));
    if (!this.#shapes.has(name)) parts.push(serialize.describe({ type: "P" }));
    parts.push(serialize.execute());
  }

  #goTo(at: number): void {
    this.#at = at;
    const { name = "", text = "" } = this.statements[at] ?? {};
    this.name = name;
    this.text = text;
  }

  handleRowDescription({ fields }: { fields: readonly Field[] }): void {
    this.#shapes.set(this.name, {
      names: fields.map(({ name }) => name),
      parsers: fields.map(({ dataTypeID }) => pg.types.getTypeParser(dataTypeID, "text")),
    });
  }

  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    const { names, parsers } = this.#shapes.get(this.name)!;
    const row: Record<string, unknown> = {};
    for (let index = 0; index < fields.length; index++) {
      const text = fields[index]!;
      row[names[index]!] = text === null ? null : parsers[index]!(text);
    }
    this.statements[this.#at]!.rows.push(row);
  }

  handleCommandComplete({ text }: { text: string }): void {
    if (!this.#shapes.has(this.name)) this.#shapes.set(this.name, NO_ROWS);
    this.statements[this.#at]!.command = text;
    this.#goTo(this.#at + 1);
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: "" });
  }

  /** Only now is what stands alone committed. */
  handleReadyForQuery(): void {
    if (this.#over) return;
    this.#over = true;
    for (const statement of this.statements) statement.answered();
    this.callback?.(null);
  }

  /** @param error What the server says of one statement, or why no answer comes any more. */
  handleError(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const failed = Math.min(this.#at, this.statements.length - 1);
    const forTheOthers = error instanceof pg.DatabaseError ? leftOut() : error;
    for (const [index, statement] of this.statements.entries()) {
      if (index < failed) statement.answered();
      else statement.failed(index === failed ? error : forTheOthers);
      if (index >= failed && this.#wire !== undefined) delete this.#wire.submittedNamedStatements[statement.name];
    }
    this.callback?.(error);
  }
}

function leftOut(): Error {
  const message = "current transaction is aborted, commands ignored until end of transaction block";
  return Object.assign(new Error(message), { code: ABORTED });
}

/** Asks for one statement outside of a transaction. @returns its rows. */
export function ask(client: pg.ClientBase, text: string, values?: readonly unknown[]): Promise<Row[]> {
  const statement = new Statement(text, values);
  client.query(new Pipeline([statement]));
  return statement.answer;
}
