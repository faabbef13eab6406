import type { Database } from "@ferry/platform/db";

/** A value of the template, and the SQL that stands for it in row number `i` of the history. */
export interface Replacement {
  value: string;
  expression: string;
}

export interface Copy {
  table: string;
  /** SQL that tells the rows of the template. */
  template: string;
  /** Ids of the template that become others in each copy. */
  replacements: readonly Replacement[];
  /** SQL for single columns, where a replaced id is not enough. May use `i` and the row `t`. */
  columns?: Readonly<Record<string, string>>;
  /** Values for $1, $2, … in the expressions. */
  values?: readonly unknown[];
  /** Follows rows in their own transaction: auditors look at the books meanwhile. */
  followedBy?: { text: string; values: readonly unknown[] };
}

interface Column {
  name: string;
  type: string;
}

const SEARCHED = new Set(["text", "json", "jsonb", "character varying"]);
const CHUNK = 20_000;

/** SQL that tells the rows of a table that name an id anywhere. */
export const naming = (table: string, id: string): string => `"${table}"::text LIKE ${quote(`%${id}%`)}`;

/** SQL that tells the rows that were written in a stretch of time. */
export const writtenWithin = (from: Date, to: Date): string =>
  `created_at >= ${quote(from.toISOString())} AND created_at < ${quote(to.toISOString())}`;

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** What a column is in a copy: the template's value with its ids replaced. */
export function expressionOf({ name, type }: Column, replacements: readonly Replacement[]): string {
  const column = `t."${name}"`;
  if (type === "uuid") {
    const cases = replacements.map(({ value, expression }) => `WHEN ${quote(value)} THEN (${expression})::text`);
    return `(CASE ${column}::text ${cases.join(" ")} ELSE ${column}::text END)::uuid`;
  }
  if (!SEARCHED.has(type)) return column;
  const replaced = replacements.reduce(
    (text, { value, expression }) => `replace(${text}, ${quote(value)}, (${expression})::text)`,
    `${column}::text`,
  );
  return `(${replaced})::${type}`;
}

/** Columns that can be written, in their order. */
async function columnsOf(database: Database, table: string): Promise<Column[]> {
  return database.query<Column>(
    "SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 AND is_identity = 'NO' AND is_generated = 'NEVER' ORDER BY ordinal_position",
    [table],
  );
}

/**
 * Writes copies of the rows that one real transfer left in a table, numbered from 0, each with ids of
 * its own: as the platform writes them, whatever the columns of the table are today.
 *
 * @returns how many rows the template has; 0 when there is no such table, or it has none.
 */
export async function multiply(database: Database, copy: Copy, count: number): Promise<number> {
  const { table, template, replacements, columns = {}, values = [], followedBy } = copy;
  const known = await columnsOf(database, table);
  if (known.length === 0) return 0;
  const names = known.map(({ name }) => `"${name}"`).join(", ");
  const [found] = await database.query<{ rows: number }>(
    `SELECT count(*)::int AS rows FROM "${table}" WHERE ${template}`,
  );
  if (found === undefined || found.rows === 0) return 0;
  const expressions = known.map((column) => columns[column.name] ?? expressionOf(column, replacements)).join(", ");
  const bounds = [`$${values.length + 1}::bigint`, `$${values.length + 2}::bigint`];
  // The template is taken once, before the copies are there.
  const insert = `INSERT INTO "${table}" (${names}) SELECT ${expressions} FROM generate_series(${bounds.join(", ")}) AS i, template_${table} AS t`;
  await database.query(`DROP TABLE IF EXISTS template_${table}`);
  await database.query(`CREATE TABLE template_${table} AS SELECT * FROM "${table}" WHERE ${template}`);
  try {
    for (let start = 0; start < count; start += CHUNK)
      await database.transaction(async (tx) => {
        await tx.query(insert, [...values, start, Math.min(count, start + CHUNK) - 1]);
        if (followedBy !== undefined) await tx.query(followedBy.text, followedBy.values);
      });
  } finally {
    await database.query(`DROP TABLE template_${table}`);
  }
  return found.rows;
}
