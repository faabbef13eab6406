import { create, type DescEnum, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import type { FieldRules } from "@ferry/gen/buf/validate/validate_pb.ts";
import { validator } from "@ferry/platform/rpc";
import { commentOf, exampleIn } from "./comments.ts";
import {
  comparisonsOf,
  exclusionsOf,
  isRequiredOneof,
  keywordsOf,
  rulesInWords,
  rulesOf,
  takesZero,
} from "./field-rules.ts";
import { namesOf } from "./names.ts";
import { type Direction, type Schema, sorted } from "./schema.ts";
import { orZero, refTo, scalarSchema, sharedSchemas, wellKnownSchema } from "./value-schemas.ts";

/** Makes the schemas of a document; those of messages and enums are named, and stand in it once. */
export interface Components {
  /** A reference to a message type in a direction. */
  message(desc: DescMessage, direction: Direction): Schema;
  /** The schema of a message itself, without the fields at these JSON paths, which travel elsewhere. */
  messageObject(desc: DescMessage, direction: Direction, without?: ReadonlySet<string>): Schema;
  /** A field with its comment. */
  field(field: DescField, direction: Direction): Schema;
  /** Every schema that was referred to, by name. */
  all(): Record<string, Schema>;
}

export interface ComponentsOptions {
  requests: readonly DescMessage[];
  answers: readonly DescMessage[];
  /** Fields of answers that are told otherwise than in the body. */
  omitted: ReadonlySet<DescField>;
}

export function createComponents({ requests, answers, omitted }: ComponentsOptions): Components {
  const nameOf = namesOf(requests, answers);
  const made = new Map<string, Schema>(Object.entries(sharedSchemas));

  const named = (name: string, make: () => Schema): Schema => {
    if (!made.has(name)) {
      made.set(name, {}); // A type that contains itself finds its name taken.
      made.set(name, make());
    }
    return refTo(name);
  };
  const message = (desc: DescMessage, direction: Direction): Schema =>
    wellKnownSchema(desc, direction) ?? named(nameOf(desc, direction), () => messageObject(desc, direction));

  const messageObject = (desc: DescMessage, direction: Direction, without: ReadonlySet<string> = new Set()): Schema => {
    const shown = desc.fields.filter((field) => !omitted.has(field) && !without.has(field.jsonName));
    const properties = shown.map((field): [string, Schema] => {
      const inside = innerPaths(without, field.jsonName);
      if (inside.size === 0 || field.message === undefined) return [field.jsonName, fieldSchema(field, direction)];
      return [field.jsonName, messageObject(field.message, direction, inside)];
    });
    const isRequired = direction === "request" ? requiredTest(desc) : isAlwaysShown;
    const required = shown.filter(isRequired).map(({ jsonName }) => jsonName);
    const base = {
      type: "object",
      description: paragraphs(commentOf(desc), ...rulesInWords(desc).map(asRule)),
      properties: Object.fromEntries(properties),
      required: required.length > 0 ? required : undefined,
    };
    return direction === "answer" ? base : { ...base, additionalProperties: false, ...exclusions(desc, shown) };
  };

  const enumeration = (desc: DescEnum): Schema =>
    named(nameOf(desc, "answer"), () => ({
      type: "string",
      description: paragraphs(commentOf(desc), valuesInWords(desc)),
      enum: desc.values.map(({ name }) => name),
    }));

  const single = (field: DescField, direction: Direction, rules: FieldRules | undefined): Schema => {
    if (field.message !== undefined) return message(field.message, direction);
    if (field.enum === undefined) return scalarSchema(field.scalar!, direction, rules);
    if (field.enum.typeName === "google.protobuf.NullValue") return { type: "null" };
    const allowed = direction === "request" ? allowedValues(field.enum, rules) : field.enum.values;
    if (allowed.length === field.enum.values.length) return enumeration(field.enum);
    return { type: "string", enum: allowed.map(({ name }) => name) };
  };

  const valueSchema = (field: DescField, direction: Direction): Schema => {
    const rules = direction === "request" ? rulesOf(field) : undefined;
    const { type } = rules ?? {};
    if (field.fieldKind === "list") {
      const items = type?.case === "repeated" ? type.value.items : undefined;
      return { type: "array", items: single(field, direction, items), ...keywordsOf(rules) };
    }
    if (field.fieldKind === "map") {
      const [keys, values] = type?.case === "map" ? [type.value.keys, type.value.values] : [];
      const names = keywordsOf(keys);
      return {
        type: "object",
        additionalProperties: single(field, direction, values),
        propertyNames: Object.keys(names).length > 0 ? names : undefined,
        ...keywordsOf(rules),
      };
    }
    const schema = single(field, direction, rules);
    if (rules?.required === true && schema.type === "string" && schema.minLength === undefined)
      return { ...schema, minLength: 1 };
    return takesZero(rules) ? orZero(schema) : schema;
  };

  /** A message under rules of the field that it stands in: written out, since many tools lose what stands beside a reference. */
  const narrowed = (field: DescField): Schema | undefined => {
    const comparisons = comparisonsOf(field);
    if (comparisons.size === 0 || field.fieldKind !== "message") return undefined;
    const { properties, required, ...whole } = messageObject(field.message, "request");
    const changed = [...comparisons].map(([name, { pattern }]): [string, Schema] => {
      const { $ref, ...own } = (properties as Record<string, Schema>)[name] ?? {};
      return [name, { ...own, type: "string", format: "int64", pattern }];
    });
    const needed = [...comparisons].flatMap(([name, { isNeeded }]) => (isNeeded ? [name] : []));
    const all = [...new Set([...((required as string[] | undefined) ?? []), ...needed])];
    return {
      ...whole,
      properties: { ...(properties as Record<string, Schema>), ...Object.fromEntries(changed) },
      required: all.length > 0 ? all : undefined,
    };
  };

  const fieldSchema = (field: DescField, direction: Direction): Schema => {
    const schema = (direction === "request" ? narrowed(field) : undefined) ?? valueSchema(field, direction);
    const words = direction === "request" ? rulesInWords(field).map(asRule) : [];
    const description = paragraphs(commentOf(field), ...words);
    const example = exampleIn(field);
    return {
      ...schema,
      ...(description === undefined ? {} : { description }),
      ...(example === undefined || schema.type !== "string" || schema.enum !== undefined
        ? {}
        : { examples: [example] }),
      ...(isDeprecated(field) ? { deprecated: true } : {}),
    };
  };

  return { message, messageObject, field: fieldSchema, all: () => sorted(made) };
}

const asRule = (text: string) => `Rule: ${text}.`;

function paragraphs(...texts: (string | undefined)[]): string | undefined {
  const told = texts.filter((text) => text !== undefined && text !== "");
  return told.length === 0 ? undefined : told.join("\n\n");
}

function valuesInWords(desc: DescEnum): string {
  const told = desc.values.flatMap((value) => {
    const comment = commentOf(value);
    return comment === undefined ? [] : [`- \`${value.name}\`: ${comment}`];
  });
  return told.join("\n");
}

function isDeprecated(field: DescField): boolean {
  return field.proto.options?.deprecated === true;
}

/** Answers show defaults: only what can be absent is left out. */
function isAlwaysShown(field: DescField): boolean {
  if (field.fieldKind === "list" || field.fieldKind === "map") return true;
  return (
    field.fieldKind !== "message" && field.oneof === undefined && field.presence === FeatureSet_FieldPresence.IMPLICIT
  );
}

const requiredNumbers = new WeakMap<DescMessage, ReadonlySet<number>>();

/** Fields that a message cannot be without: those whose rules an empty message breaks. */
export function requiredTest(desc: DescMessage): (field: DescField) => boolean {
  const numbers = requiredNumbers.get(desc) ?? numbersOfRequired(desc);
  requiredNumbers.set(desc, numbers);
  return (field) => numbers.has(field.number);
}

function numbersOfRequired(desc: DescMessage): Set<number> {
  const result = validator.validate(desc, create(desc));
  const broken = result.kind === "invalid" ? result.violations.flatMap(({ field }) => field[0] ?? []) : [];
  return new Set(broken.flatMap((step) => (step.kind === "field" ? [step.number] : [])));
}

function allowedValues(desc: DescEnum, rules: FieldRules | undefined) {
  const { type } = rules ?? {};
  if (type?.case !== "enum") return desc.values.filter(({ number }) => number !== 0 || rules?.required !== true);
  const { const: only, in: some = [], notIn = [] } = { ...type.value } as Partial<typeof type.value>; // Only what was set.
  return desc.values.filter(
    ({ number }) =>
      (only === undefined || only === number) &&
      (some.length === 0 || some.includes(number)) &&
      !notIn.includes(number) &&
      (number !== 0 || rules?.required !== true),
  );
}

/** Members of a oneof exclude each other, and so may others by a rule. */
function exclusions(desc: DescMessage, shown: readonly DescField[]): Schema {
  const groups = [
    ...desc.oneofs.map((oneof) => ({ names: oneof.fields, required: isRequiredOneof(oneof) })),
    ...exclusionsOf(desc).map(({ fields, required }) => ({
      names: desc.fields.filter(({ name }) => fields.includes(name)),
      required,
    })),
  ];
  const all = groups.flatMap(({ names, required }): Schema[] => {
    const present = names.filter((field) => shown.includes(field)).map(({ jsonName }) => ({ required: [jsonName] }));
    if (present.length === 0) return [];
    if (required) return [{ oneOf: present }];
    return present.length < 2 ? [] : [{ oneOf: [...present, { not: { anyOf: present } }] }];
  });
  if (all.length === 0) return {};
  return all.length === 1 ? all[0]! : { allOf: all };
}

function innerPaths(paths: ReadonlySet<string>, name: string): Set<string> {
  const prefix = `${name}.`;
  return new Set([...paths].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length)));
}
