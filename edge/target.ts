/** The target of a request in its two parts; the query without its question mark. */
export function splitTarget(url: string): { path: string; query: string } {
  const target = url.startsWith("/") ? url : originForm(url);
  const mark = target.indexOf("?");
  return mark === -1 ? { path: target, query: "" } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** Of a target that names its host too, as to a proxy, which every server must take (RFC 9112, 3.2.2). */
function originForm(url: string): string {
  const rest = url.replace(/^https?:\/\/[^/?]*/i, "");
  return rest.startsWith("?") ? `/${rest}` : rest;
}

/** The methods that a path has, as the header Allow says them; none when it has none. */
export function allowHeader(allowed: readonly string[]): string[] {
  if (allowed.length === 0) return [];
  return [...new Set([...allowed, ...(allowed.includes("GET") ? ["HEAD"] : []), "OPTIONS"])].sort();
}
