import type { DescEnum, DescMessage } from "@bufbuild/protobuf";
import type { Direction } from "./schema.ts";

/**
 * Names the types of a document: without their package where only one type is called so, else in full. A message
 * that both comes in and goes out is two schemas, of which the one that comes in ends in "Input".
 */
export function namesOf(
  requests: readonly DescMessage[],
  answers: readonly DescMessage[],
): (desc: DescEnum | DescMessage, direction: Direction) => string {
  const [incoming, outgoing] = [reachable(requests), reachable(answers)];
  const owners = new Map<string, Set<string>>();
  for (const desc of [...incoming, ...outgoing]) {
    const known = owners.get(shortName(desc)) ?? new Set();
    owners.set(shortName(desc), known.add(desc.typeName));
  }
  return (desc, direction) => {
    const base = owners.get(shortName(desc))?.size === 1 ? shortName(desc) : desc.typeName;
    const isBoth = desc.kind === "message" && incoming.has(desc) && outgoing.has(desc);
    return isBoth && direction === "request" ? `${base}Input` : base;
  };
}

function shortName({ typeName, file }: DescEnum | DescMessage): string {
  const { package: scope } = file.proto;
  return scope === "" ? typeName : typeName.slice(scope.length + 1);
}

/** The types themselves and all that their fields are of. */
function reachable(descs: readonly DescMessage[]): Set<DescEnum | DescMessage> {
  const found = new Set<DescEnum | DescMessage>();
  const visit = (desc: DescMessage) => {
    if (found.has(desc)) return;
    found.add(desc);
    for (const field of desc.fields) {
      if (field.enum !== undefined) found.add(field.enum);
      if (field.message !== undefined) visit(field.message);
    }
  };
  descs.forEach(visit);
  return found;
}
