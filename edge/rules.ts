import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import type { Path } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { FerryError, type FieldViolation, invalidRequest } from "@ferry/platform/errors";
import { compileNullCheck, compileProof } from "@ferry/platform/rpc";
import { withJsonNames } from "./field-names.ts";

/** One for all: it compiles the rules of a type once. */
export const validator = createValidator();

/**
 * Compiles the field rules of a message type (buf.validate, and no NUL in any text: JSON's reader has refused those
 * before, binary protobuf's takes them).
 *
 * @returns A check that throws INVALID_REQUEST with every field that breaks a rule, by JSON names.
 * @throws Error when a rule of the contract cannot be compiled.
 */
export function compileRules(desc: DescMessage): (message: Message) => void {
  const trial = validator.validate(desc, create(desc));
  if (trial.kind === "error") throw new Error(`the rules of ${desc.typeName} do not compile: ${trial.error.message}`);
  const proves = compileProof(desc);
  const findNulls = compileNullCheck(desc);
  return (message) => {
    if (proves?.(message)) return;
    const nulls = findNulls(message);
    if (nulls.length > 0) throw withJsonNames(invalidRequest(nulls), desc);
    const result = validator.validate(desc, message);
    if (result.kind === "error") throw new FerryError("INTERNAL", "internal error", { cause: result.error });
    if (result.kind === "invalid") {
      const fields = result.violations.map(
        ({ field, message: description }): FieldViolation => ({ field: jsonPath(field), description }),
      );
      throw invalidRequest(fields);
    }
  };
}

/** The path of a violation as a client of the REST door writes it. */
function jsonPath(path: Path): string {
  let text = "";
  for (const step of path) {
    if (step.kind === "list_sub") text += `[${step.index}]`;
    else if (step.kind === "map_sub") text += `[${JSON.stringify(String(step.key))}]`;
    else text += `${text === "" ? "" : "."}${step.kind === "field" ? step.jsonName : step.name}`;
  }
  return text;
}
