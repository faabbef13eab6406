/** The target of a request in its two parts; the query without its question mark. */
export function splitTarget(url: string): { path: string; query: string } {
  const mark = url.indexOf("?");
  return mark === -1 ? { path: url, query: "" } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

/** The methods that a path has, as the header Allow says them; none when it has none. */
export function allowHeader(allowed: readonly string[]): string[] {
  if (allowed.length === 0) return [];
  return [...new Set([...allowed, ...(allowed.includes("GET") ? ["HEAD"] : []), "OPTIONS"])].sort();
}
