import type { CallOptions, RpcPlan, WithKey, WithRawBody, WithWait } from "./calls.ts";

/** Everything that a call of some rpc may say. */
export type AllOptions = CallOptions & WithKey & WithWait & WithRawBody<string>;

/** A request as fetch takes it, but for its token. */
export interface HttpRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | Uint8Array<ArrayBuffer> | Blob | undefined;
}

type Fields = Record<string, unknown>;

/**
 * Makes the HTTP request of an rpc: path, then body, then query, as its contract says.
 * @throws TypeError when a field of the path is missing or would lead elsewhere, or a value has no form in a query.
 */
export function httpRequestOf(baseUrl: string, plan: RpcPlan, request: object, options: AllOptions): HttpRequest {
  const inPath = new Set<string>();
  const path = plan.path.replace(/\{(\+?)([\w.]+)\}/g, (_, several: string, name: string) => {
    const value = valueAt(request, name);
    if (value === undefined || value === null || value === "") throw new TypeError(`${name} is missing`);
    inPath.add(name);
    const text = textOf(value, name);
    return several === ""
      ? segmentOf(text, name)
      : text
          .split("/")
          .map((part) => segmentOf(part, name))
          .join("/");
  });
  const headers: Record<string, string> = {
    accept: plan.stream === undefined ? "application/json" : "text/event-stream",
  };
  const rest = without(request as Fields, inPath);
  let body: HttpRequest["body"];
  let inQuery: Fields = {};
  if (options.rawBody !== undefined) {
    headers["content-type"] = options.rawBody.contentType;
    body = options.rawBody.body;
    inQuery = rest;
  } else if (plan.body === "") inQuery = rest;
  else {
    headers["content-type"] = "application/json";
    const whole = plan.body === "*";
    body = JSON.stringify(whole ? rest : (rest[plan.body] ?? {}), (_, value) =>
      typeof value === "bigint" ? value.toString() : value,
    );
    if (!whole) inQuery = without(rest, new Set([plan.body]));
  }
  const query = queryOf(inQuery);
  return { method: plan.httpMethod, url: `${baseUrl}${path}${query === "" ? "" : `?${query}`}`, headers, body };
}

/** fetch takes "." and ".." out of a path, encoded or not: the request would become one of another rpc. */
function segmentOf(text: string, name: string): string {
  if (text === "." || text === "..") throw new TypeError(`${name} cannot be ${JSON.stringify(text)}`);
  return encodeURIComponent(text);
}

function valueAt(request: object, path: string): unknown {
  return path.split(".").reduce<unknown>((value, name) => (value as Fields | undefined)?.[name], request);
}

/** A copy without some paths, "id" or "account.id". */
function without(fields: Fields, paths: ReadonlySet<string>, prefix = ""): Fields {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([name, value]) => value !== undefined && !paths.has(prefix + name))
      .map(([name, value]) => {
        const inner = `${prefix}${name}.`;
        const isOwner = [...paths].some((path) => path.startsWith(inner));
        return [name, isOwner && isObject(value) ? without(value, paths, inner) : value];
      }),
  );
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function queryOf(fields: Fields): string {
  const query = new URLSearchParams();
  const add = (name: string, value: unknown): void => {
    if (value === undefined) return;
    if (Array.isArray(value)) for (const item of value) query.append(name, textOf(item, name));
    else if (isObject(value)) for (const [inner, item] of Object.entries(value)) add(`${name}.${inner}`, item);
    else query.append(name, textOf(value, name));
  };
  for (const [name, value] of Object.entries(fields)) add(name, value);
  return query.toString();
}

function textOf(value: unknown, name: string): string {
  if (value instanceof Date) return value.toISOString();
  if (["string", "number", "boolean", "bigint"].includes(typeof value)) return String(value);
  throw new TypeError(`${name} has a value that a path or a query cannot say`);
}
