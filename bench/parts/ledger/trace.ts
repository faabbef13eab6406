// The statements that the ledger sends, taken down as they leave, to be sent again by others.
import pg from "pg";

/** A statement as it left; without a name it is sent as text, like BEGIN. */
export interface Sent {
  name: string | undefined;
  text: string;
  values: readonly unknown[];
}

export interface Trace {
  statements: Sent[];
  /** The options of the connections, as for PGOPTIONS. */
  options: string;
}

type Query = (this: pg.Client, config: unknown, ...rest: unknown[]) => unknown;

/** Takes down what every connection of this process sends from now on. For a process that measures nothing. */
export function recordStatements(): { take(): Trace } {
  let statements: Sent[] = [];
  let options = "";
  const prototype = pg.Client.prototype as unknown as { query: Query };
  const original = prototype.query;
  prototype.query = function (config, ...rest) {
    const { statements: asked = [] } = config as { statements?: readonly Sent[] };
    for (const { name, text, values } of asked) {
      // LISTEN and the like belong to a connection that lives on; the one that sends again does not.
      if (!/^LISTEN/.test(text)) statements.push({ name: name === text ? undefined : name, text, values });
    }
    const { connectionParameters } = this as unknown as { connectionParameters?: { options?: string } };
    options ||= connectionParameters?.options ?? "";
    return original.call(this, config, ...rest);
  };
  return {
    take() {
      const taken = { statements, options };
      statements = [];
      return taken;
    },
  };
}

/** A value as a literal of SQL; its type is that of the parameter in whose place it stands. */
export function literalOf(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    return `'\\x${Buffer.from(buffer, byteOffset, byteLength).toString("hex")}'`;
  }
  if (value instanceof Date) return `'${value.toISOString()}'`;
  if (Array.isArray(value)) throw new TypeError("an array goes as its literal or its bytes");
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * A script for pgbench that sends the same: each named statement is prepared once and then executed, as the
 * driver does it, so that PostgreSQL parses and plans no more often.
 *
 * @throws Error when a text has a semicolon, at which pgbench would cut it.
 */
export function pgbenchScript(statements: readonly Sent[]): string {
  const prepared = new Map<string, string>();
  const lines: string[] = [];
  const line = (text: string) => lines.push(`${text.trim().replaceAll(/\s*\n\s*/g, " ")};`);
  for (const { name, text, values } of statements) {
    if (text.includes(";")) throw new Error(`a statement with a semicolon: ${text}`);
    if (values.length === 0) {
      line(text);
      continue;
    }
    let own = prepared.get(name ?? text);
    if (own === undefined) {
      own = `p${prepared.size}`;
      prepared.set(name ?? text, own);
      line(`PREPARE ${own} AS ${text}`);
    }
    line(`EXECUTE ${own}(${values.map(literalOf).join(",")})`);
  }
  return `${lines.join("\n")}\n`;
}
