import { FerryError, invalidRequest } from "@ferry/platform/errors";

export type EndpointState = "ENABLED" | "DISABLED";
export type DisableReason = "GONE" | "FAILING" | "BACKLOG";

/** What a member asks for. */
export interface EndpointRequest {
  url: string;
  /** Empty: all. */
  eventTypes: readonly string[];
  description: string;
}

export interface EndpointRules {
  /** Every event type that there is. */
  knownTypes: ReadonlySet<string>;
  /** "public": https to public addresses only. */
  targets: "public" | "any";
  /** Tells whether a host, when it is an address, is one that the internet can reach; undefined for names. */
  isPublicAddress(host: string): boolean | undefined;
}

/** What is wrong with an URL; undefined when webhooks may be sent to it. */
export function urlProblem(text: string, { targets, isPublicAddress }: EndpointRules): string | undefined {
  if (!URL.canParse(text)) return "must be an URL, as https://example.com/hooks";
  const url = new URL(text);
  if (url.protocol !== "https:" && (targets === "public" || url.protocol !== "http:"))
    return targets === "public" ? "must begin with https://" : "must begin with https:// or http://";
  if (url.username !== "" || url.password !== "") return "must not hold a user or a password";
  if (targets === "any") return undefined;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const isPublic = isPublicAddress(host);
  if (isPublic === false) return "must not be a private, loopback or link-local address";
  if (isPublic === undefined && (!host.includes(".") || /\.(local|localhost|internal)\.?$/i.test(host)))
    return "must be a host that the internet can reach";
  return undefined;
}

/**
 * Checks a request for an endpoint.
 * @throws FerryError INVALID_REQUEST with every field that is wrong.
 */
export function checkEndpoint(request: EndpointRequest, rules: EndpointRules): void {
  const fields: { field: string; description: string }[] = [];
  const problem = urlProblem(request.url, rules);
  if (problem !== undefined) fields.push({ field: "url", description: problem });
  const unknown = request.eventTypes.filter((type) => !rules.knownTypes.has(type));
  if (unknown.length > 0)
    fields.push({
      field: "event_types",
      description: `${unknown.join(", ")}: not among ${[...rules.knownTypes].sort().join(", ")}`,
    });
  if (new Set(request.eventTypes).size < request.eventTypes.length)
    fields.push({ field: "event_types", description: "names a type twice" });
  if (fields.length > 0) throw invalidRequest(fields);
}

/** @throws FerryError WEBHOOK_ENDPOINT_LIMIT. */
export function checkRoom(existing: number, maxEndpoints: number): void {
  if (existing >= maxEndpoints)
    throw new FerryError("WEBHOOK_ENDPOINT_LIMIT", `a member has at most ${maxEndpoints} webhook endpoints`);
}

/** Whether an endpoint that asked for some types hears of this one. */
export function wants(eventTypes: readonly string[], type: string): boolean {
  return eventTypes.length === 0 || eventTypes.includes(type);
}
