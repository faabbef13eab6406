// What the checker reads: the services' databases by SQL and the bank's records by REST. None of
// Ferry's own code, so that a defect of it cannot hide itself.
import pg from "pg";

export interface BankRecord {
  seq: number;
  kind: "payment" | "debit";
  reference: string;
  accountNumber: string;
  currency: string;
  minorUnits: string;
  status: "done" | "refused";
}

export interface BooksSources {
  /** Runs SQL in a service's database; of a ledger over several in each, the rows one after another. Numbers of 64 bits and sums come as bigint. */
  query<Row>(service: "ledger" | "transfer" | "payment" | "banking", text: string): Promise<Row[]>;
  /** Every record of the bank, in order. */
  bankRecords(): Promise<BankRecord[]>;
  close(): Promise<void>;
}

/** A whole platform's: there are also those who move no money. */
export interface PlatformSources extends BooksSources {
  query<Row>(
    service: "ledger" | "transfer" | "payment" | "banking" | "member" | "notify",
    text: string,
  ): Promise<Row[]>;
}

export interface SourceAddresses {
  /** A database of the server, as "postgres://user:password@127.0.0.1:5433/ferry_ledger": the others are found beside it. */
  databaseUrl: string;
  /** The databases of a ledger that lies in several. Default: it lies in its own. */
  ledgerShards?: readonly string[];
  /** The bank's API or its control port, as "http://127.0.0.1:9201". */
  bankUrl: string;
}

const types = {
  // bigint and numeric: both are whole numbers here.
  getTypeParser: (id: number, format?: "text" | "binary") =>
    id === pg.types.builtins.INT8 || id === pg.types.builtins.NUMERIC
      ? (text: string) => BigInt(text)
      : pg.types.getTypeParser(id, format as "text"),
};

export function openSources({ databaseUrl, ledgerShards = [], bankUrl }: SourceAddresses): PlatformSources {
  const clients = new Map<string, Promise<pg.Client>>();

  function urlsOf(service: string): readonly string[] {
    if (service === "ledger" && ledgerShards.length > 0) return ledgerShards;
    const url = new URL(databaseUrl);
    url.pathname = `/ferry_${service}`;
    return [url.href];
  }

  async function connect(url: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url, types });
    await client.connect();
    return client;
  }

  return {
    async query<Row>(service: string, text: string) {
      let rows: Row[] = [];
      for (const url of urlsOf(service)) {
        const client = clients.get(url) ?? connect(url);
        clients.set(url, client);
        // Joined, not pushed: as arguments of a call some hundred thousand rows are too many for the stack.
        rows = rows.concat((await (await client).query(text)).rows as Row[]);
      }
      return rows;
    },
    async bankRecords() {
      const all: BankRecord[] = [];
      for (let after: number | null = -1; after !== null; ) {
        const response: Response = await fetch(`${bankUrl}/v1/records?after=${after}&limit=10000`);
        if (!response.ok) throw new Error(`the bank answered ${response.status}`);
        const page = (await response.json()) as { records: BankRecord[]; next: number | null };
        all.push(...page.records);
        after = page.next;
      }
      return all;
    },
    async close() {
      for (const client of clients.values()) await (await client).end();
    },
  };
}
