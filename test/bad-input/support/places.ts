import {
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import { hasCustomJsonRepresentation } from "@bufbuild/protobuf/wkt";
import { field as fieldOption, Ignore } from "@ferry/gen/buf/validate/validate_pb.ts";
import { exampleValue } from "../../../edge/openapi/examples.ts";
import { pathFieldsOf, type Sample } from "./edge.ts";

/** A field of a request, wherever in it. Of a list of messages, those of its first. */
export interface Place {
  field: DescField;
  /** From the outermost message to the field itself. */
  chain: readonly DescField[];
  /** As errors name it: "lines[0].amount.minorUnits". */
  path: string;
  where: "path" | "query" | "body";
  /** Whether its rules hold: the contract can leave what is inside of a field to the service. */
  ruled: boolean;
}

/** Every field of a request. */
export function placesOf({ plan }: Sample): Place[] {
  const inPath = pathFieldsOf(plan);
  const { rpc, takesBody } = plan.route;
  const walk = (desc: DescMessage, chain: readonly DescField[], prefix: string, ruled: boolean): Place[] =>
    desc.fields.flatMap((field) => {
      const path = `${prefix}${field.jsonName}`;
      const where = inPath.includes(path) ? "path" : takesBody ? "body" : "query";
      const place: Place = { field, chain: [...chain, field], path, where, ruled: ruled && !isIgnored(field) };
      if (field.message === undefined || hasCustomJsonRepresentation(field.message)) return [place];
      const inside = `${path}${field.fieldKind === "list" ? "[0]" : ""}.`;
      const isItself = chain.some(({ message }) => message === field.message);
      return [place, ...(isItself ? [] : walk(field.message, place.chain, inside, place.ruled))];
    });
  return walk(rpc.input, [], "", true);
}

function isIgnored(field: DescField): boolean {
  return hasOption(field, fieldOption) && getOption(field, fieldOption).ignore === Ignore.ALWAYS;
}

type Members = Record<string, JsonValue>;

/** The object that holds a field, made where it is not there; no other member of the field's oneof is in it. */
function ownerOf(request: JsonObject, { chain }: Place): Members {
  let owner = request as Members;
  for (const [depth, field] of chain.entries()) {
    for (const other of field.oneof?.fields ?? []) if (other !== field) delete owner[other.jsonName];
    if (depth === chain.length - 1) break;
    owner[field.jsonName] ??= exampleValue(field) ?? (field.fieldKind === "list" ? [{}] : {});
    owner = [owner[field.jsonName]].flat()[0] as Members;
  }
  return owner;
}

/** A request with a value at a place, and with all that must be around it. */
export function withValue(request: JsonObject, place: Place, value: JsonValue): JsonObject {
  const changed = structuredClone(request);
  ownerOf(changed, place)[place.field.jsonName] = value;
  return changed;
}

/** A request without the field at a place. */
export function without(request: JsonObject, place: Place): JsonObject {
  const changed = structuredClone(request);
  delete ownerOf(changed, place)[place.field.jsonName];
  return changed;
}

/** What came to a service at a place: protobuf-es keeps the members of a oneof as case and value. */
export function valueAt(message: unknown, { chain }: Place): unknown {
  let value = message;
  for (const field of chain) {
    const owner = ([value].flat()[0] ?? {}) as Record<string, unknown>;
    value = field.oneof === undefined ? owner[field.localName] : (owner[field.oneof.localName] as Members)?.value;
  }
  return value;
}
