import { create, type DescMethod, getOption, type Message } from "@bufbuild/protobuf";
import { method as methodOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { MissingPartSchema } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { FerryError, fromUnknown } from "@ferry/platform/errors";
import { type Backend, type BackendCall, COMPOSED, type ExposedService } from "../backends.ts";
import { chooseBackend } from "../several-backends.ts";
import { ContractError, nameOf } from "../transcoding/index.ts";
import { countMissing } from "./metrics.ts";
import { compileParts, fieldsOf, MARGIN_MS, type Offer, type Part } from "./plan.ts";

/** What became of a part: its value, or why there is none. */
interface Outcome {
  part: Part;
  value?: unknown;
  error?: FerryError;
}

/**
 * Adds the backend that answers composed rpcs, from the answers of the other backends.
 *
 * @returns The backends as they are when no exposed service is composed.
 * @throws ContractError that names every rpc whose parts cannot be composed.
 */
export function withComposition(
  backends: ReadonlyMap<string, Backend>,
  services: readonly ExposedService[],
): ReadonlyMap<string, Backend> {
  const composed = services.filter(({ backend }) => backend === COMPOSED);
  if (composed.length === 0) return backends;
  const offers = offersOf(backends, services);
  const problems: string[] = [];
  const plans = new Map<string, readonly Part[]>();
  for (const rpc of composed.flatMap(({ service }) => service.methods)) {
    try {
      plans.set(fullName(rpc), compileParts(rpc, offers));
    } catch (error) {
      problems.push(`${nameOf(rpc)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (problems.length > 0) throw new ContractError(problems);
  return new Map([...backends, [COMPOSED, composingBackend(plans)]]);
}

const fullName = (rpc: DescMethod) => `${rpc.parent.typeName}.${rpc.name}`;

/** Every rpc that may be a part. Composed ones are none: a part of a part would have nobody's deadline. */
function offersOf(backends: ReadonlyMap<string, Backend>, services: readonly ExposedService[]) {
  const exposed = services.filter(({ backend }) => backend !== COMPOSED);
  const found = new Map(
    exposed.flatMap(({ service, backend }) => service.methods.map((rpc) => [fullName(rpc), { rpc, backend }] as const)),
  );
  return (name: string): Offer | undefined => {
    const offer = found.get(name);
    if (offer === undefined) return undefined;
    const { rpc, backend } = offer;
    const candidates = [backend].flat().map((candidate) => backends.get(candidate));
    return { rpc, backend: chooseBackend(rpc, getOption(rpc, methodOption).serviceField, candidates) };
  };
}

function composingBackend(plans: ReadonlyMap<string, readonly Part[]>): Backend {
  return {
    name: COMPOSED,
    unready: () => undefined, // What it stands on says so itself.
    async unary(rpc, request, call) {
      const parts = plans.get(fullName(rpc));
      if (parts === undefined) throw new FerryError("UNIMPLEMENTED", "nothing composes this rpc");
      return answerOf(rpc, await askAll(parts, request, call));
    },
    stream() {
      throw new FerryError("UNIMPLEMENTED", "no stream is composed");
    },
  };
}

/**
 * Asks for all parts at once, each with a deadline of its own that ends before that of the whole.
 *
 * @throws FerryError of a required part, and of any that says who may call: what holds for the caller is no matter
 *   of one part. CANCELED when the client left, DEADLINE_EXCEEDED when there is no time for any.
 */
async function askAll(parts: readonly Part[], request: Message, call: BackendCall): Promise<Outcome[]> {
  const { headers, signal } = call;
  const timeLeftMs = call.timeoutMs - MARGIN_MS;
  if (timeLeftMs <= 0) throw new FerryError("DEADLINE_EXCEEDED", "there is no time left to ask for the parts");
  const abort = new AbortController();
  const leave = () => abort.abort(signal?.reason);
  signal?.addEventListener("abort", leave, { once: true });
  if (signal?.aborted) leave();
  try {
    const asked = parts.map((part) => {
      const timeoutMs = Math.min(part.deadlineMs, timeLeftMs);
      return ask(part, request, { headers, timeoutMs, signal: abort.signal });
    });
    const outcomes = await Promise.all(asked);
    if (signal?.aborted) throw new FerryError("CANCELED", "the client went away", { cause: signal.reason });
    return outcomes;
  } finally {
    signal?.removeEventListener("abort", leave);
    abort.abort(new FerryError("CANCELED", "the answer is made without it")); // Ends what a thrown error left behind.
  }
}

async function ask(part: Part, composed: Message, call: BackendCall): Promise<Outcome> {
  try {
    const answer = await part.backend.unary(part.rpc, part.requestOf(composed), call);
    return { part, value: part.pick(answer) };
  } catch (thrown) {
    const error = fromUnknown(thrown);
    if (part.required || isAboutTheCaller(error)) throw error;
    return { part, error };
  }
}

function isAboutTheCaller({ entry }: FerryError): boolean {
  return entry.httpStatus === 401 || entry.httpStatus === 403;
}

/** @throws FerryError of the first part when there is none at all. */
function answerOf(rpc: DescMethod, outcomes: readonly Outcome[]): Message {
  const failed = outcomes.flatMap(({ part, error }) => (error === undefined ? [] : [{ part, error }]));
  const [first] = failed;
  if (first !== undefined && failed.length === outcomes.length) throw first.error;
  for (const { part, error } of failed) countMissing(rpc.name, part.field.jsonName, error.reason);
  const answer = create(rpc.output);
  for (const { part, value } of outcomes) if (value !== undefined) fieldsOf(answer)[part.field.localName] = value;
  fieldsOf(answer).missing = failed.map(({ part, error }) =>
    create(MissingPartSchema, { part: part.field.jsonName, reason: error.reason }),
  );
  return answer;
}
