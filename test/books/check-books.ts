// `npm run check-books`: checks the books of a platform that has come to rest, by SQL and the bank's
// REST alone. Exit code 1 when something does not hold.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkBooks } from "./check.ts";
import { openSources } from "./sources.ts";

const HELP = `npm run check-books [-- options]   checks the books of a platform that is up and at rest

  --database URL   a database of the PostgreSQL server, as postgres://user:password@host:port/name
                   (default: DATABASE_URL, else the local one of npm start)
  --ledger-shards  the databases of a ledger over several, separated by commas (default: LEDGER_SHARDS)
  --bank URL       the bank's API (default: the local one's control port)
  --help           this text`;

const { values } = parseArgs({
  options: {
    database: { type: "string" },
    "ledger-shards": { type: "string" },
    bank: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

/** The PostgreSQL of `npm start`: its password lies in the data folder. */
function localDatabase(offset: number): string {
  const folder = process.env.FERRY_DATA_DIR ?? join(import.meta.dirname, "../../.ferry");
  const file = join(folder, "postgres", "password");
  if (!existsSync(file)) throw new Error(`no local PostgreSQL in ${folder}: name one with --database`);
  return `postgres://ferry:${readFileSync(file, "utf8").trim()}@127.0.0.1:${5433 + offset}/ferry_ledger`;
}

if (values.help) console.log(HELP);
else {
  const offset = Number(process.env.FERRY_PORT_OFFSET ?? 0);
  const sources = openSources({
    databaseUrl: values.database ?? process.env.DATABASE_URL ?? localDatabase(offset),
    ledgerShards: (values["ledger-shards"] ?? process.env.LEDGER_SHARDS ?? "").split(",").filter((url) => url !== ""),
    bankUrl: values.bank ?? process.env.BANK_URL ?? `http://127.0.0.1:${9201 + offset}`,
  });
  const { findings, figures } = await checkBooks(sources);
  await sources.close();
  console.log(
    Object.entries(figures)
      .map(([name, count]) => `${name} ${count}`)
      .join(", "),
  );
  for (const line of findings) console.log(`BREACH  ${line}`);
  console.log(findings.length === 0 ? "The books hold." : `${findings.length} breaches.`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
