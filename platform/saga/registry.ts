import type { DescMessage } from "@bufbuild/protobuf";
import { CancelSagaSchema, SagaEndedSchema } from "@ferry/gen/ferry/saga/v1/child_pb.ts";
import { ROLES } from "./define.ts";
import { exchangeOf, type SagaDefinition } from "./definition.ts";

/** The definitions that this server knows, of each saga all versions that may still be under way. */
export interface Registry {
  find(name: string, version: number): SagaDefinition<unknown> | undefined;
  /** @throws Error when there is no saga of that name. */
  getNewest(name: string): SagaDefinition<unknown>;
  /** All types of reply, by their full name. */
  replies: ReadonlyMap<string, DescMessage>;
}

/** A definition with those of the sagas that its steps begin, and theirs. */
function withChildren(definition: SagaDefinition<unknown>): SagaDefinition<unknown>[] {
  const children = definition.steps.flatMap(({ child }) => (child === undefined ? [] : withChildren(child.definition)));
  return [definition, ...children];
}

/** @throws Error when the same version of a saga is given twice. */
export function createRegistry(given: readonly SagaDefinition<unknown>[]): Registry {
  const byVersion = new Map<string, SagaDefinition<unknown>>();
  const newest = new Map<string, SagaDefinition<unknown>>();
  const replies = new Map<string, DescMessage>(
    [SagaEndedSchema, CancelSagaSchema].map((each) => [each.typeName, each]),
  );
  for (const definition of new Set(given.flatMap(withChildren))) {
    const { name, version, steps } = definition;
    const key = `${name}:${version}`;
    if (byVersion.has(key)) throw new Error(`saga ${name} version ${version} is given twice`);
    byVersion.set(key, definition);
    if (version > (newest.get(name)?.version ?? 0)) newest.set(name, definition);
    for (const step of steps)
      for (const exchange of ROLES.map((role) => exchangeOf(step, role)))
        if (exchange !== undefined) replies.set(exchange.reply.typeName, exchange.reply);
  }
  return {
    replies,
    find: (name, version) => byVersion.get(`${name}:${version}`),
    getNewest(name) {
      const found = newest.get(name);
      if (found === undefined) throw new Error(`there is no saga ${name}`);
      return found;
    },
  };
}
