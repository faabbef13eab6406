import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { HttpBodySchema } from "@ferry/gen/google/api/httpbody_pb.ts";
import { BadField } from "./errors.ts";
import { checkedText, parseJson } from "./json-text.ts";
import { planOf, type ReadContext, readMessage, setField } from "./read-message.ts";

/** Makes the message that a body gives; path and query are put into it afterwards. */
export type ReadBody = (bytes: Uint8Array | undefined, contentType: string | undefined) => Message;

/** What a route takes as its body: none, JSON, or whatever comes, with its content type (google.api.HttpBody). */
export type BodyForm = "none" | "json" | "any";

export interface BodyPlan {
  form: BodyForm;
  /** The field that the body is; undefined: none, or all of them. */
  field: DescField | undefined;
  read: ReadBody;
}

const isEmpty = (bytes: Uint8Array | undefined): bytes is undefined => bytes === undefined || bytes.length === 0;

/**
 * Compiles the `body` of a rule.
 * @param context What the body must not give, and the types that an Any may hold.
 * @throws Error when the rule names no field of the request.
 */
export function compileBody(input: DescMessage, body: string, context: ReadContext): BodyPlan {
  if (body === "")
    return {
      ...{ form: "none", field: undefined },
      read(bytes) {
        if (!isEmpty(bytes)) throw new BadField("", "this route takes no body");
        return create(input);
      },
    };
  if (body === "*") return wholeBody(input, context);
  const field = input.fields.find(({ name }) => name === body);
  if (field === undefined) throw new Error(`body ${JSON.stringify(body)} is no field of ${input.typeName}`);
  if (isHttpBody(field))
    return {
      ...{ form: "any", field },
      read(bytes, contentType) {
        const message = create(input);
        const given = !isEmpty(bytes) || contentType !== undefined;
        if (given) setField(message, field, httpBody(bytes, contentType), field.jsonName);
        return message;
      },
    };
  const { read } = planOf(input).fields.get(body)!;
  return {
    ...{ form: "json", field },
    read(bytes) {
      const message = create(input);
      if (!isEmpty(bytes)) setField(message, field, read(parseJson(bytes), field.jsonName, context), field.jsonName);
      return message;
    },
  };
}

function wholeBody(input: DescMessage, context: ReadContext): BodyPlan {
  if (input.typeName === HttpBodySchema.typeName) return { form: "any", field: undefined, read: httpBody };
  return {
    ...{ form: "json", field: undefined },
    read: (bytes) => (isEmpty(bytes) ? create(input) : readMessage(input, parseJson(bytes), "", context)),
  };
}

/** Whether a field holds one body of any kind. */
function isHttpBody({ fieldKind, message }: DescField): boolean {
  return fieldKind === "message" && message?.typeName === HttpBodySchema.typeName;
}

function httpBody(data: Uint8Array | undefined, contentType: string | undefined): Message {
  const given = { contentType: checkedText(contentType ?? "", "contentType"), data: data ?? new Uint8Array() };
  return create(HttpBodySchema, given);
}

/**
 * The reader of a body that is taken as it comes into a field of bytes.
 * @throws Error when there is no such field.
 */
export function rawBody(input: DescMessage, fieldName: string): ReadBody {
  const field = input.fields.find(({ name }) => name === fieldName);
  if (field?.fieldKind !== "scalar" || field.scalar !== ScalarType.BYTES)
    throw new Error(`raw body ${JSON.stringify(fieldName)} is no field of bytes of ${input.typeName}`);
  return (bytes) => {
    const message = create(input);
    if (bytes !== undefined) setField(message, field, bytes, field.jsonName);
    return message;
  };
}
