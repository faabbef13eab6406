export { type Batcher, type BatcherOptions, createBatcher } from "./batcher.ts";
export { type DatabaseOptions, openDatabase } from "./database.ts";
export { isLostRace, LOST_RACE, orLostRace } from "./lost-race.ts";
export { createDatabaseIfMissing, type Migrations, migrate } from "./migrate.ts";
export {
  isInt64,
  isMicros,
  isWholeUpTo,
  type KeyCheck,
  type PageCursor,
  readPageToken,
  writePageToken,
} from "./page-token.ts";
export { textArray } from "./parameters.ts";
export { sqlStateOf } from "./sql-state.ts";
export type {
  Database,
  Listening,
  OpenTransaction,
  PreparableDatabase,
  Queryable,
  Session,
  Transaction,
  TransactionEnd,
} from "./types.ts";
export { isUuid, nameUuid, newUuid } from "./uuid.ts";
