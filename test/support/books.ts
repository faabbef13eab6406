import { type BooksReport, checkBooks } from "../books/check.ts";
import { openSources } from "../books/sources.ts";
import type { Platform } from "./platform.ts";

/** Checks the books of a platform that has come to rest. */
export async function booksOf(platform: Platform): Promise<BooksReport> {
  const sources = openSources({
    databaseUrl: platform.databaseUrl,
    ledgerShards: platform.environment.LEDGER_SHARDS?.split(","),
    bankUrl: platform.bankControl,
  });
  try {
    return await checkBooks(sources);
  } finally {
    await sources.close();
  }
}
