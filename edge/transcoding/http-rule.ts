import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "@ferry/gen/google/api/annotations_pb.ts";
import type { HttpRule } from "@ferry/gen/google/api/http_pb.ts";

/** One way in which an rpc is offered over HTTP. */
export interface Binding {
  /** "GET" and so on, one entry for each method that the rule names. */
  httpMethods: readonly string[];
  /** Whether the rule leaves the method open (custom, kind "*"): rules that name one go before it. */
  anyMethod: boolean;
  path: string;
  /** "*": all fields but those of the path; the name of a field; empty: no body. */
  body: string;
  /** The name of the field that is the answer; empty: the whole message. */
  responseBody: string;
}

/** Methods that a custom rule of kind "*" stands for; GET only where it has no body. */
const ANY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/** By RFC 9110, 9.1 methods are tokens; those with hyphens exist, as "VERSION-CONTROL". */
const METHOD = /^[A-Z]+(?:-[A-Z]+)*$/;

/**
 * The bindings of an rpc from its google.api.http annotation: the rule itself, then its additional ones.
 * @returns An empty list when the rpc has no annotation.
 * @throws Error that says what is wrong with a rule.
 */
export function bindingsOf(rpc: DescMethod): Binding[] {
  if (!hasOption(rpc, http)) return [];
  const rule = getOption(rpc, http);
  for (const inner of rule.additionalBindings)
    if (inner.additionalBindings.length > 0) throw new Error("an additional binding cannot have more of its own");
  return [rule, ...rule.additionalBindings].map(toBinding);
}

function toBinding(rule: HttpRule): Binding {
  const { pattern, body, responseBody } = rule;
  const common = { body, responseBody, anyMethod: false };
  if (pattern.case === undefined) throw new Error("a rule has no method and path");
  if (pattern.case !== "custom") return { ...common, httpMethods: [pattern.case.toUpperCase()], path: pattern.value };
  const { kind, path } = pattern.value;
  if (kind === "*")
    return {
      ...common,
      path,
      anyMethod: true,
      httpMethods: ANY_METHOD.filter((name) => body === "" || name !== "GET"),
    };
  if (!METHOD.test(kind.toUpperCase())) throw new Error(`a rule has the bad method ${JSON.stringify(kind)}`);
  return { ...common, path, httpMethods: [kind.toUpperCase()] };
}
