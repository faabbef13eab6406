import assert from "node:assert/strict";
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { findCompiled } from "../compile.ts";
import { Reader } from "../reader.ts";
import { Writer } from "../writer.ts";

/** The compiled functions alone, so that protobuf-es cannot hide what they get wrong. */
export function compiledOf(desc: DescMessage) {
  const compiled = findCompiled(desc);
  assert.ok(compiled, `${desc.typeName} is compiled`);
  const writer = new Writer();
  return {
    create: (given: object): Message => compiled.init(given),
    encode(message: Message): Buffer {
      writer.begin();
      compiled.write(writer, message);
      return writer.finish();
    },
    decode(bytes: Uint8Array): Message {
      const message = compiled.create();
      compiled.read(new Reader(bytes), message, bytes.length, 1);
      return message;
    },
  };
}
