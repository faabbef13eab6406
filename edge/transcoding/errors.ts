/** What a client sent does not fit the contract: which field, and what would be right. */
export class BadField extends Error {
  override readonly name = "BadField";
  /** Path by JSON names, "amount.minorUnits"; empty when it is the body, the path or the query as a whole. */
  readonly field: string;
  /** What is wrong, in words. */
  readonly description: string;

  constructor(field: string, description: string) {
    super(field === "" ? description : `${field}: ${description}`);
    this.field = field;
    this.description = description;
  }
}

/** Contracts that cannot be served as they are, all problems at once, each with its file and rpc. */
export class ContractError extends Error {
  override readonly name = "ContractError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`contracts cannot be served:\n  ${problems.join("\n  ")}`);
    this.problems = problems;
  }
}

/** Appends one step to a field path. */
export function joinPath(path: string, step: string | number): string {
  if (typeof step === "number") return `${path}[${step}]`;
  return path === "" ? step : `${path}.${step}`;
}
