import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { type Path, pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { FerryError, type FieldViolation, invalidRequest } from "@ferry/platform/errors";
import { compileNullCheck } from "./null-characters.ts";
import { compileProof } from "./quick-rules.ts";

/** One for all of a process: it compiles the rules of a type once. */
export const validator = createValidator();

/** How whoever is told of a field knows it: by its name in the contract ("minor_units"), or in JSON ("minorUnits"). */
export type FieldNames = "contract" | "json";

type Check = (message: Message) => void;

const compiled: Record<FieldNames, Map<DescMessage, Check>> = { contract: new Map(), json: new Map() };

/**
 * Compiles the field rules of a message type (buf.validate, and no NUL in any text), once for a process.
 *
 * @param names Default "contract".
 * @returns A check that throws INVALID_REQUEST, with all fields that break a rule.
 * @throws Error when a rule of the contract cannot be compiled.
 */
export function compileRules(desc: DescMessage, names: FieldNames = "contract"): Check {
  const known = compiled[names].get(desc);
  if (known !== undefined) return known;
  const trial = validator.validate(desc, create(desc));
  if (trial.kind === "error" && trial.error.name === "CompilationError")
    throw new Error(`${desc.file.proto.name}: the rules of ${desc.typeName} do not compile: ${trial.error.message}`);
  const findNulls = compileNullCheck(desc, names === "json" ? ({ jsonName }) => jsonName : undefined);
  const proves = compileProof(desc);
  const pathText = names === "json" ? jsonPath : pathToString;
  const check = (message: Message) => {
    if (proves?.(message)) return;
    const nulls = findNulls(message);
    const result = validator.validate(desc, message);
    if (result.kind === "error") throw new FerryError("INTERNAL", "internal error", { cause: result.error });
    if (result.kind === "valid" && nulls.length === 0) return;
    const violations = result.kind === "invalid" ? result.violations : [];
    throw invalidRequest([
      ...nulls,
      ...violations.map(({ field, message: description }): FieldViolation => ({ field: pathText(field), description })),
    ]);
  };
  compiled[names].set(desc, check);
  return check;
}

/** The path of a violation as a client that writes JSON knows it. */
function jsonPath(path: Path): string {
  let text = "";
  for (const step of path) {
    if (step.kind === "list_sub") text += `[${step.index}]`;
    else if (step.kind === "map_sub") text += `[${JSON.stringify(String(step.key))}]`;
    else text += `${text === "" ? "" : "."}${step.kind === "field" ? step.jsonName : step.name}`;
  }
  return text;
}
