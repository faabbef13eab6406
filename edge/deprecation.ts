import { getOption } from "@bufbuild/protobuf";
import { method as policyOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import type { Route } from "./transcoding/index.ts";

/** What clients of a deprecated rpc are told with every answer. */
export interface Deprecated {
  headers: Readonly<Record<string, string>>;
  inWords: string;
}

/**
 * Compiles the option deprecation of an rpc: headers Deprecation (RFC 9745), Sunset (RFC 8594) and Link.
 *
 * @returns undefined when the rpc is not deprecated.
 * @throws Error when the contract says it only by halves, or names no days.
 */
export function compileDeprecation(rpc: Route["rpc"]): Deprecated | undefined {
  const { deprecation } = getOption(rpc, policyOption);
  if (rpc.deprecated !== (deprecation !== undefined))
    throw new Error("the options deprecated and deprecation go together, and one of them is missing");
  if (deprecation === undefined) return undefined;
  const { since, sunset, link } = deprecation;
  const [from, until] = [dayOf("since", since), sunset === "" ? undefined : dayOf("sunset", sunset)];
  if (until !== undefined && until < from) throw new Error("deprecation ends before it begins");
  if (/[<>\s"]/.test(link)) throw new Error(`deprecation.link ${JSON.stringify(link)} is no URL`);
  const [ends, instead] = [sunset === "" ? "" : `, gone from ${sunset} on`, link === "" ? "" : `: see ${link}`];
  return {
    headers: {
      deprecation: `@${from.getTime() / 1_000}`,
      ...(until === undefined ? {} : { sunset: until.toUTCString() }),
      ...(link === "" ? {} : { link: `<${link}>; rel="deprecation"` }),
    },
    inWords: `Deprecated since ${since}${ends}${instead}.`,
  };
}

function dayOf(name: string, text: string): Date {
  const day = new Date(`${text}T00:00:00Z`);
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || Number.isNaN(day.getTime()) || !day.toISOString().startsWith(text))
    throw new Error(`deprecation.${name} ${JSON.stringify(text)} is no day, as 2026-01-31`);
  return day;
}
