import type { DescMessage } from "@bufbuild/protobuf";
import { CancelSagaSchema, SagaEndedSchema } from "@ferry/gen/ferry/saga/v1/child_pb.ts";
import { ROLES } from "./define.ts";
import { exchangeOf, type SagaDefinition } from "./definition.ts";

/** The definitions that this server knows, of each saga all versions that may still be under way. */
export interface Registry {
  find(name: string, version: number): SagaDefinition<unknown> | undefined;
  /** What new sagas of a name begin with. @throws Error when there is no saga of that name. */
  getForNew(name: string): SagaDefinition<unknown>;
  /** All types of reply, by their full name. */
  replies: ReadonlyMap<string, DescMessage>;
}

/** A definition with those of the sagas that its steps begin, and theirs. */
function withChildren(definition: SagaDefinition<unknown>): SagaDefinition<unknown>[] {
  const children = definition.steps.flatMap(({ child }) => (child === undefined ? [] : withChildren(child.definition)));
  return [definition, ...children];
}

/**
 * @param beginWith The version that new sagas of a name begin with. Default the highest.
 * @throws Error when the same version of a saga is given twice, or new ones are to begin with one that is not given.
 */
export function createRegistry(
  given: readonly SagaDefinition<unknown>[],
  beginWith: Readonly<Record<string, number>> = {},
): Registry {
  const byVersion = new Map<string, SagaDefinition<unknown>>();
  const forNew = new Map<string, SagaDefinition<unknown>>();
  const replies = new Map<string, DescMessage>(
    [SagaEndedSchema, CancelSagaSchema].map((each) => [each.typeName, each]),
  );
  for (const definition of new Set(given.flatMap(withChildren))) {
    const { name, version, steps } = definition;
    const key = `${name}:${version}`;
    if (byVersion.has(key)) throw new Error(`saga ${name} version ${version} is given twice`);
    byVersion.set(key, definition);
    if (version > (forNew.get(name)?.version ?? 0)) forNew.set(name, definition);
    for (const step of steps)
      for (const exchange of ROLES.map((role) => exchangeOf(step, role)))
        if (exchange !== undefined) replies.set(exchange.reply.typeName, exchange.reply);
  }
  for (const [name, version] of Object.entries(beginWith)) {
    const definition = byVersion.get(`${name}:${version}`);
    if (definition === undefined)
      throw new Error(`sagas cannot begin with ${name} version ${version}: it is not given`);
    forNew.set(name, definition);
  }
  return {
    replies,
    find: (name, version) => byVersion.get(`${name}:${version}`),
    getForNew(name) {
      const found = forNew.get(name);
      if (found === undefined) throw new Error(`there is no saga ${name}`);
      return found;
    },
  };
}
