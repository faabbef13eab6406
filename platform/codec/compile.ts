import type { DescMessage, Message } from "@bufbuild/protobuf";
import { isPlain } from "./fields.ts";
import { initSource } from "./init-source.ts";
import { createSource, readSource } from "./read-source.ts";
import type { Reader } from "./reader.ts";
import { writeSource } from "./write-source.ts";
import type { Writer } from "./writer.ts";

/** The straight-line functions for one type of message. */
export interface Compiled {
  /** An empty message. */
  create(): Message;
  /** A message of the values that are given, with messages for the parts that are given as plain objects. */
  init(given: object): Message;
  /** Merges what stands up to the end into a message; depth is 1 for the outermost. Throws when it is malformed. */
  read(reader: Reader, message: Message, end: number, depth: number): void;
  /** Throws when a value is not of its field's type. */
  write(writer: Writer, message: Message): void;
}

const compiled = new WeakMap<DescMessage, Compiled>();

/**
 * Compiles a type and all types within it to JavaScript, once.
 *
 * Text for `new Function` rather than closures: a field then costs a property access and a call that
 * the engine inlines, instead of a call through a table with a name looked up at run time (measured: 1.2 to 2.3 times).
 * The text holds nothing of a contract but numbers and quoted names.
 *
 * @returns undefined for types that are not plain, and where the process may not make code from text.
 */
export function findCompiled(desc: DescMessage): Compiled | undefined {
  if (!isPlain(desc)) return undefined;
  try {
    return compile(desc);
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

function compile(desc: DescMessage): Compiled {
  const known = compiled.get(desc);
  if (known !== undefined) return known;
  const parts: DescMessage[] = [];
  const nameOf = (part: DescMessage) => {
    if (!parts.includes(part)) parts.push(part);
    return `part${parts.indexOf(part)}`;
  };
  const functions = [createSource(desc), initSource(desc, nameOf), readSource(desc, nameOf), writeSource(desc, nameOf)];
  const names = parts.map((part) => nameOf(part));
  const make = new Function(...names, `"use strict";\n${functions.join("\n")}\nreturn { create, init, read, write };`);
  // Types may hold themselves: the parts get this object now, and what is in it below.
  const result = {} as Compiled;
  compiled.set(desc, result);
  return Object.assign(result, make(...parts.map(compile)));
}
