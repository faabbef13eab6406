import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { FerryError, type FieldViolation, invalidRequest } from "@ferry/platform/errors";
import { compileNullCheck } from "./null-characters.ts";
import { compileProof } from "./quick-rules.ts";

const validator = createValidator();
const compiled = new Map<DescMessage, (message: Message) => void>();

/**
 * Compiles the field rules of a message type (buf.validate, and no NUL in any text).
 *
 * @returns A check that throws INVALID_REQUEST, with all fields that break a rule by their names in the contract.
 * @throws Error when a rule of the contract cannot be compiled.
 */
export function compileRules(desc: DescMessage): (message: Message) => void {
  const known = compiled.get(desc);
  if (known !== undefined) return known;
  const trial = validator.validate(desc, create(desc));
  if (trial.kind === "error" && trial.error.name === "CompilationError")
    throw new Error(`${desc.file.proto.name}: the rules of ${desc.typeName} do not compile: ${trial.error.message}`);
  const findNulls = compileNullCheck(desc);
  const proves = compileProof(desc);
  const check = (message: Message) => {
    if (proves?.(message)) return;
    const nulls = findNulls(message);
    const result = validator.validate(desc, message);
    if (result.kind === "error") throw new FerryError("INTERNAL", "internal error", { cause: result.error });
    if (result.kind === "valid" && nulls.length === 0) return;
    throw invalidRequest([...nulls, ...violationsOf(result.kind === "invalid" ? result.violations : [])]);
  };
  compiled.set(desc, check);
  return check;
}

function violationsOf(violations: readonly { field: Parameters<typeof pathToString>[0]; message: string }[]) {
  return violations.map(({ field, message }): FieldViolation => ({ field: pathToString(field), description: message }));
}
