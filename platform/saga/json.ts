/**
 * What a saga knows is kept as JSON. Amounts are bigint, which JSON has not: they are written as
 * {"$bigint":"123"} and come back as bigint. Dates, maps, sets and bytes do not come back: a state
 * holds objects, arrays, strings, numbers, booleans, bigint and null.
 */
export function writeJson(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? { $bigint: String(each) } : each));
}

/** Puts the bigints back into what was parsed from the text of `writeJson`. */
export function reviveJson(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(reviveJson);
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first?.[0] === "$bigint" && typeof first[1] === "string") return BigInt(first[1]);
  return Object.fromEntries(entries.map(([key, each]) => [key, reviveJson(each)]));
}
