import {
  create,
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  getOption,
  hasOption,
  type Message,
} from "@bufbuild/protobuf";
import {
  method as methodOption,
  type PartArgument,
  type PartPolicy,
  part as partOption,
  RateClass,
} from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { MissingPartSchema } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { compileRules, getPolicy, type Policy } from "@ferry/platform/rpc";
import type { Backend } from "../backends.ts";
import { findFieldPath, setFromTexts } from "../transcoding/field-path.ts";

/** What remains of a composed rpc's time, at least, when its slowest part is given up: to write the answer. */
export const MARGIN_MS = 100;

/** Messages as objects by field name. */
export const fieldsOf = (message: Message) => message as unknown as Record<string, unknown>;

/** An rpc that can give a part, and who answers it. */
export interface Offer {
  rpc: DescMethod;
  backend: Backend;
}

/** One part of a composed answer, worked out at start. */
export interface Part {
  /** The answer's field that it fills. */
  field: DescField;
  rpc: DescMethodUnary;
  backend: Backend;
  deadlineMs: number;
  required: boolean;
  /** Makes its request from that of the composed rpc. */
  requestOf(composed: Message): Message;
  /** Takes the part out of its rpc's answer. */
  pick(answer: Message): unknown;
}

/**
 * Compiles what the contract of a composed rpc says about its parts.
 *
 * @param findOffer Finds an rpc by its full name, among those that the edge exposes.
 * @returns The parts, in the order of their fields.
 * @throws Error that says every problem, each with the field of the answer.
 */
export function compileParts(rpc: DescMethod, findOffer: (name: string) => Offer | undefined): Part[] {
  const whole = getPolicy(rpc);
  const problems: string[] = [];
  const parts: Part[] = [];
  if (rpc.methodKind !== "unary") problems.push("only a unary rpc can be composed");
  for (const field of rpc.output.fields) {
    if (isMissing(field)) continue;
    try {
      if (!hasOption(field, partOption)) throw new Error("nothing fills it: it has no option (ferry.options.v1.part)");
      parts.push(compilePart(rpc.input, field, getOption(field, partOption), whole, findOffer));
    } catch (error) {
      problems.push(`${field.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (parts.length === 0 && problems.length === 0) problems.push("it has no parts");
  if (!rpc.output.fields.some(isMissing))
    problems.push("its answer has no field `repeated ferry.types.v1.MissingPart missing`");
  if (problems.length > 0) throw new Error(problems.join("; "));
  return parts;
}

function isUnary(rpc: DescMethod): rpc is DescMethodUnary {
  return rpc.methodKind === "unary";
}

function isMissing(field: DescField): boolean {
  return (
    field.name === "missing" && field.fieldKind === "list" && field.message?.typeName === MissingPartSchema.typeName
  );
}

function compilePart(
  input: DescMessage,
  field: DescField,
  option: PartPolicy,
  whole: Policy,
  findOffer: (name: string) => Offer | undefined,
): Part {
  const offer = findOffer(option.rpc);
  if (offer === undefined) throw new Error(`there is no rpc ${JSON.stringify(option.rpc)} that the edge could call`);
  const { rpc, backend } = offer;
  if (!isUnary(rpc)) throw new Error(`${option.rpc} is no unary rpc`);
  checkPolicy(rpc, whole);
  const { deadlineMs, required } = option;
  if (deadlineMs <= 0 || deadlineMs > whole.deadlineMs - MARGIN_MS)
    throw new Error(`its deadline_ms must be 1 to ${whole.deadlineMs - MARGIN_MS}: ${MARGIN_MS} less than the whole's`);
  const pick = compilePick(rpc.output, field, option.field);
  return { field, rpc, backend, deadlineMs, required, requestOf: compileRequest(rpc.input, input, option), pick };
}

/** Who may ask for the whole may ask for each part, and asking has no effect. @throws Error. */
function checkPolicy(rpc: DescMethod, whole: Policy): void {
  const policy = getPolicy(rpc);
  const name = `${rpc.parent.typeName}.${rpc.name}`;
  const ranks = ["public", "member", "operator"];
  const rank = ranks.indexOf(policy.auth);
  if (rank === -1 || rank > ranks.indexOf(whole.auth))
    throw new Error(`${name} is for auth ${policy.auth}, and the whole for ${whole.auth}`);
  const lacking = policy.scopes.filter((scope) => !whole.scopes.includes(scope));
  if (lacking.length > 0) throw new Error(`${name} asks for the scope ${lacking.join(" and ")}, the whole does not`);
  const isRead = getOption(rpc, methodOption).rateClass === RateClass.READ;
  if (!isRead || !policy.retrySafe || policy.keyRequired) throw new Error(`${name} is not a read`);
}

function compilePick(output: DescMessage, field: DescField, name: string): Part["pick"] {
  if (field.fieldKind !== "message" || field.oneof !== undefined)
    throw new Error("a part must be a singular message field outside of a oneof, so that it can be absent");
  const wanted = field.message.typeName;
  if (name === "") {
    if (output.typeName !== wanted) throw new Error(`is a ${wanted}, but its rpc answers ${output.typeName}`);
    return (answer) => answer;
  }
  const picked = output.fields.find((candidate) => candidate.name === name);
  if (picked?.fieldKind !== "message" || picked.oneof !== undefined || picked.message.typeName !== wanted)
    throw new Error(`its field ${JSON.stringify(name)} is no ${wanted} of ${output.typeName}`);
  return (answer) => fieldsOf(answer)[picked.localName];
}

type SetArgument = (request: Message, composed: Message) => void;

function compileRequest(input: DescMessage, from: DescMessage, { arguments: given }: PartPolicy): Part["requestOf"] {
  const setters = given.map((argument) => compileArgument(input, from, argument));
  const requestOf = (composed: Message): Message => {
    const request = create(input);
    for (const set of setters) set(request, composed);
    return request;
  };
  const trial = requestOf(create(from)); // What does not fit its field is found now.
  if (given.every((argument) => argument.from === "")) compileRules(input, "json")(trial);
  return requestOf;
}

function compileArgument(input: DescMessage, composed: DescMessage, { field, value, from }: PartArgument): SetArgument {
  const path = findFieldPath(input, field);
  if (path === undefined) throw new Error(`its argument ${JSON.stringify(field)} is no field of ${input.typeName}`);
  if (from === "") return (request) => setFromTexts(request, path, [value]);
  if (value !== "") throw new Error(`its argument ${JSON.stringify(field)} has both a value and a from`);
  const source = composed.fields.find((candidate) => candidate.name === from);
  const target = input.fields.find((candidate) => candidate.name === field);
  if (source === undefined || target === undefined || typeOf(source) !== typeOf(target))
    throw new Error(
      `its argument ${JSON.stringify(field)} cannot come from ${JSON.stringify(from)} of ${composed.typeName}`,
    );
  return (request, from) => {
    fieldsOf(request)[target.localName] = fieldsOf(from)[source.localName];
  };
}

/** Says whether two fields have values of one form; members of a oneof have none of that. */
function typeOf({ fieldKind, scalar, enum: values, message, oneof, name }: DescField): string {
  if (fieldKind === "map" || oneof !== undefined) return `only ${name}`;
  return [fieldKind, scalar, values?.typeName, message?.typeName].join(" ");
}
