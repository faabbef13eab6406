// What a service asks of its database, and how PostgreSQL would answer it once the tables are full.
import assert from "node:assert/strict";
import type { Database, Transaction } from "@ferry/platform/db";

/** A table with fewer rows is read whole, and rightly so. */
const HANDFUL = 100;
const ROWS = 20_000;

/** Statements by their text, each with the values of its last time. */
export type Statements = ReadonlyMap<string, readonly unknown[]>;

/** Records what the users of a database ask while the work is done: it stands in the way of the database's methods. */
export async function statementsOf(database: Database, work: () => Promise<void>): Promise<Statements> {
  const statements = new Map<string, readonly unknown[]>();
  const note = (text: string, values: readonly unknown[] = []) => {
    if (/^\s*(?:select|with|insert|update|delete)\b/i.test(text)) statements.set(text, values);
  };
  const { query, transaction } = database;
  database.query = <Row>(text: string, values?: readonly unknown[]) => {
    note(text, values);
    return query<Row>(text, values);
  };
  database.transaction = <Result>(run: (tx: Transaction, count: number) => Promise<Result>) =>
    transaction((tx, count) => {
      const ask = tx.query;
      tx.query = <Row>(text: string, values?: readonly unknown[]) => {
        note(text, values);
        return ask<Row>(text, values);
      };
      return run(tx, count);
    });
  try {
    await work();
  } finally {
    Object.assign(database, { query, transaction });
  }
  return statements;
}

interface Column {
  name: string;
  type: string;
  /** Of a unique index without an id in it: copies need other values. */
  key: boolean;
}

/** What a column is in copy number `i` of row `t`. Ids differ, so that they are as rare as they would be; times lie apart. */
function copyOf({ name, type, key }: Column): string {
  const column = `t."${name}"`;
  switch (type) {
    case "uuid":
      return `CASE WHEN ${column} IS NULL THEN NULL ELSE gen_random_uuid() END`;
    case "timestamp with time zone":
      return `${column} - i * interval '1 second'`;
    case "text":
      return key ? `${column} || '-' || i` : column;
    case "bytea":
      return key ? `sha256(convert_to(${column}::text || i, 'UTF8'))` : column;
    case "bigint":
      return key ? `${column} + i` : column;
    default:
      return column;
  }
}

const COLUMNS = `
  SELECT attribute.attname AS name, format_type(attribute.atttypid, NULL) AS type,
    EXISTS (
      SELECT FROM pg_index
      WHERE indrelid = attribute.attrelid AND indisunique AND attribute.attnum = ANY (indkey) AND NOT EXISTS (
        SELECT FROM pg_attribute AS other
        WHERE other.attrelid = indrelid AND other.attnum = ANY (indkey) AND other.atttypid = 'uuid'::regtype)
    ) AS key
  FROM pg_attribute AS attribute
  WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''
  ORDER BY attnum`;

/** Rows by the thousand take seconds on a busy machine, and statements of services no more than that. */
const WITHOUT_LIMIT = "SET LOCAL transaction_timeout = 0";

/**
 * Fills every table that has rows with copies of them, until it has some 20,000, and lets PostgreSQL look
 * at them: as the tables are after a while. A table of one row for all stays so.
 */
async function fillTables(database: Database): Promise<void> {
  const tables = await database.query<{ name: string }>(
    `SELECT quote_ident(relname) AS name FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'migrations%'
       AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'one')`,
  );
  for (const { name } of tables) {
    const columns = await database.query<Column>(COLUMNS, [name]);
    const names = columns.map((column) => `"${column.name}"`).join();
    await database.transaction(async (tx) => {
      await tx.query(WITHOUT_LIMIT);
      await tx.query("SET LOCAL session_replication_role = replica"); // Copies refer to nobody.
      const [found] = await tx.query<{ rows: number }>(`SELECT count(*)::int AS rows FROM ${name}`);
      if (found === undefined || found.rows === 0 || found.rows >= ROWS) return;
      const copies = Math.ceil(ROWS / found.rows);
      await tx.query(
        `INSERT INTO ${name} (${names}) SELECT ${columns.map(copyOf).join()} FROM ${name} AS t, generate_series(1, ${copies}) AS i`,
      );
    });
  }
  await database.transaction(async (tx) => {
    await tx.query(WITHOUT_LIMIT);
    await tx.query("ANALYZE");
  });
}

interface Plan {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Index Cond"?: string;
  Filter?: string;
  Plans?: Plan[];
}

interface Facts {
  /** Tables of more than a handful of rows. */
  large: ReadonlySet<string>;
  /** Indexes of some rows of a table: who reads one whole wants just these. */
  partial: ReadonlySet<string>;
}

/** What is wrong with a plan: large tables that are read whole, by themselves or along an index. */
function wrongWith(plan: Plan, facts: Facts, above = { limited: false, table: "" }): string[] {
  const { "Node Type": type, "Index Name": index = "", Plans: children = [] } = plan;
  const table = plan["Relation Name"] ?? above.table; // A bitmap's index does not say whose it is.
  const below = { limited: above.limited || type === "Limit", table };
  const found = children.flatMap((child) => wrongWith(child, facts, below));
  if (!facts.large.has(table)) return found;
  if (type === "Seq Scan") return [...found, `reads the whole of ${table}`];
  const whole = /Index (Only )?Scan$/.test(type) && plan["Index Cond"] === undefined && !facts.partial.has(index);
  // In the order of an index, up to a limit, is no whole read, unless rows are thrown away on the way.
  const inOrder = above.limited && plan.Filter === undefined && type !== "Bitmap Index Scan";
  return whole && !inOrder ? [...found, `reads the whole of ${index}`] : found;
}

async function factsOf(database: Database): Promise<Facts> {
  const tables = await database.query<{ name: string }>(
    "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND reltuples > $1",
    [HANDFUL],
  );
  const partial = await database.query<{ name: string }>(
    "SELECT relname AS name FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indpred IS NOT NULL",
  );
  const names = (rows: readonly { name: string }[]) => new Set(rows.map(({ name }) => name));
  return { large: names(tables), partial: names(partial) };
}

/** Both are looked at: the plan made for the values, and the one that a named statement is kept with. */
const KINDS = ["", "GENERIC_PLAN, "] as const;

/**
 * Fills the tables, and asserts that none of the statements reads one of more than a handful of rows whole.
 *
 * @throws AssertionError that names every statement that does.
 */
export async function assertIndexed(database: Database, statements: Statements): Promise<void> {
  await fillTables(database);
  const facts = await factsOf(database);
  assert.ok(facts.large.size > 0, "there are tables that are worth an index");
  const wrong: string[] = [];
  for (const [text, values] of statements)
    for (const kind of KINDS) {
      const [row] = await database.query<{ "QUERY PLAN": { Plan: Plan }[] }>(
        `EXPLAIN (${kind}FORMAT JSON) ${text}`,
        values,
      );
      const plan = row?.["QUERY PLAN"][0]?.Plan;
      assert.ok(plan);
      const faults = wrongWith(plan, facts);
      if (faults.length > 0) wrong.push(`${kind}${faults.join(", ")}: ${text}`);
    }
  assert.deepEqual(wrong, []);
}
