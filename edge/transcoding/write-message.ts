import { type DescField, type DescMessage, type Message, toJson } from "@bufbuild/protobuf";

/** Makes the JSON text of a message. */
export type WriteMessage = (message: Message) => string;

/**
 * Compiles the writer of a message type: ProtoJSON with defaults always shown (a zero balance, an empty list),
 * 64-bit integers as text, absent messages and members of a oneof left out.
 *
 * @param omit A field of the message itself that is not shown.
 * @param only The field that alone is the answer (response_body); default the whole message.
 */
export function messageWriter(desc: DescMessage, omit?: DescField, only?: DescField): WriteMessage {
  return (message) => {
    const json = toJson(desc, message, { alwaysEmitImplicit: true }) as Record<string, unknown>;
    if (omit !== undefined) delete json[omit.jsonName];
    return JSON.stringify(only === undefined ? json : (json[only.jsonName] ?? null));
  };
}
