import { type DescField, type DescMessage, getOption, type MessageShape } from "@bufbuild/protobuf";
import { message as messagePolicy } from "@ferry/gen/ferry/options/v1/options_pb.ts";

interface Policy {
  topic: string | undefined;
  keyField: DescField;
}

/** Options are read once for each schema; schemas are constants of the code, so their number is bounded. */
const policies = new Map<string, Policy>();

function policyOf(schema: DescMessage): Policy {
  let policy = policies.get(schema.typeName);
  if (policy === undefined) {
    const { topic, keyField } = getOption(schema, messagePolicy);
    const field = schema.fields.find(({ name }) => name === keyField);
    if (field === undefined || field.fieldKind !== "scalar")
      throw new Error(`${schema.typeName}: its message option names no key_field of a scalar type`);
    policy = { topic: topic || undefined, keyField: field };
    policies.set(schema.typeName, policy);
  }
  return policy;
}

/** The topic that messages of a type go to; undefined for replies, which go to where the command says. */
export function topicOf(schema: DescMessage): string | undefined {
  return policyOf(schema).topic;
}

/** The key of a message: what has the same key stays in order. */
export function keyOf<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>): string {
  return String((message as unknown as Record<string, unknown>)[policyOf(schema).keyField.localName]);
}
