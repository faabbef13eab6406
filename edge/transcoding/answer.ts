import { type DescField, type DescMessage, type Message, type Registry, toJson } from "@bufbuild/protobuf";
import { type HttpBody, HttpBodySchema } from "@ferry/gen/google/api/httpbody_pb.ts";

/** What becomes of an rpc's answer. */
export interface AnswerForm {
  /** The name of the field that is the answer (response_body); undefined: the whole message. */
  responseField: string | undefined;
  /** "any": the answer is a google.api.HttpBody, to be sent as it is by `httpBodyOf`; "json": by `writeAnswer`. */
  answerForm: "json" | "any";
  /**
   * The JSON text of an answer: ProtoJSON, with defaults shown.
   * @throws Error when an Any holds a type that is not known.
   */
  writeAnswer(answer: Message): string;
  /** The body of an answer of the form "any"; without type and data when the answer has none. */
  httpBodyOf(answer: Message): Pick<HttpBody, "contentType" | "data">;
}

/**
 * Compiles the `response_body` of a rule.
 * @throws Error when it names no field of the answer.
 */
export function compileAnswer(output: DescMessage, responseBody: string, registry?: Registry): AnswerForm {
  const field = output.fields.find(({ name }) => name === responseBody);
  if (responseBody !== "" && field === undefined)
    throw new Error(`response_body ${JSON.stringify(responseBody)} is no field of ${output.typeName}`);
  const options = { alwaysEmitImplicit: true, ...(registry === undefined ? {} : { registry }) };
  return {
    responseField: field?.name,
    answerForm: isHttpBody(output, field) ? "any" : "json",
    writeAnswer(answer) {
      const json = toJson(output, answer, options) as Record<string, unknown>;
      return JSON.stringify(field === undefined ? json : (json[field.jsonName] ?? null));
    },
    httpBodyOf(answer) {
      const body = field === undefined ? answer : fieldValue(answer, field);
      return (body as HttpBody | undefined) ?? { contentType: "", data: new Uint8Array() };
    },
  };
}

function isHttpBody(output: DescMessage, field: DescField | undefined): boolean {
  if (field !== undefined) return field.fieldKind === "message" && field.message.typeName === HttpBodySchema.typeName;
  return output.typeName === HttpBodySchema.typeName;
}

function fieldValue(message: Message, { localName, oneof }: DescField): unknown {
  const fields = message as unknown as Record<string, unknown>;
  if (oneof === undefined) return fields[localName];
  const chosen = fields[oneof.localName] as { case?: string; value?: unknown };
  return chosen.case === localName ? chosen.value : undefined;
}
