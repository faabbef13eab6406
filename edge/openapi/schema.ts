/** JSON as the document is made of; keys with undefined are left out when it is written. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

/** A JSON Schema (draft 2020-12, as OpenAPI 3.1 has it). */
export type Schema = JsonObject;

/** Whether a value goes in (narrowed, closed, under its rules) or out. */
export type Direction = "request" | "answer";

/** The names of an object in their order, so that two documents of the same contracts are the same text. */
export function sorted<Value>(entries: Iterable<readonly [string, Value]>): Record<string, Value> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}
