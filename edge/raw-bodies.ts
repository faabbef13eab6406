import { getOption } from "@bufbuild/protobuf";
import { method as policyOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import type { OfferedRoute } from "./transcoding/index.ts";

/** How the bodies of other content types than JSON are read, by content type. */
export type RawBodies = ReadonlyMap<string, OfferedRoute["readRequest"]>;

const JSON_CONTENT = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;
const RAW_CONTENT = /^([a-z0-9.+-]+\/[a-z0-9.+-]+)\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/**
 * Compiles what the contract of a route says about bodies that are taken as they come.
 * @throws Error that says what in it cannot be served.
 */
export function compileRawBodies(route: OfferedRoute): RawBodies {
  const { rawBodies } = getOption(route.rpc, policyOption);
  return new Map(rawBodies.map(({ contentType, field }) => [contentType.toLowerCase(), route.rawReader(field)]));
}

/**
 * Chooses the reader of a body by its content type; undefined when the route takes none of this type. A body that is
 * a google.api.HttpBody takes any.
 */
export function readerFor(
  { route, rawBodies }: { route: OfferedRoute; rawBodies: RawBodies },
  contentType: string | undefined,
): OfferedRoute["readRequest"] | undefined {
  if (route.bodyForm === "any" || JSON_CONTENT.test(contentType ?? "")) return route.readRequest;
  if (rawBodies.size === 0) return undefined;
  return rawBodies.get(RAW_CONTENT.exec(contentType ?? "")?.[1]?.toLowerCase() ?? "");
}
