// Sends the ledger's statements again through pg alone, one after the other on one connection.
import { readFileSync } from "node:fs";
import { deserialize } from "node:v8";
import pg from "pg";
import type { LoopFigures } from "../closed-loop.ts";
import { serveParent } from "../serve-parent.ts";
import type { Sent } from "./trace.ts";

let client: pg.Client | undefined;
let statements: Sent[] = [];
let transfers = 0;

serveParent({
  async open({ url, options }: { url: string; options: string }) {
    client = new pg.Client({ connectionString: url, options });
    await client.connect();
  },
  prepare({ file, count }: { file: string; count: number }) {
    statements = deserialize(readFileSync(file)) as Sent[];
    transfers = count;
  },
  async run(): Promise<LoopFigures> {
    if (client === undefined) throw new Error("not open");
    const startedAt = performance.now();
    for (const { name, text, values } of statements) await client.query({ name, text, values: [...values] });
    const seconds = (performance.now() - startedAt) / 1_000;
    return { count: transfers, errors: 0, example: "", seconds, p50Ms: 0, p99Ms: 0 };
  },
  end: () => client?.end(),
});
