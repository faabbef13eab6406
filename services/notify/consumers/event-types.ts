import { type DescField, type DescMessage, getOption, hasOption, type Message, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { message as messagePolicy } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { file_ferry_payment_v1_payment } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { file_ferry_transfer_v1_batch } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { file_ferry_transfer_v1_transfer } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { decode, messageWriter, type WriteMessage } from "@ferry/platform/codec";
import type { MemberEvent } from "../app/record-events.ts";
import { eventTypeOf } from "../domain/event-type.ts";

/** Whose messages may be events for members. */
const FILES = [file_ferry_transfer_v1_transfer, file_ferry_transfer_v1_batch, file_ferry_payment_v1_payment];

/** An event as receivers know it, worked out from its contract. */
export interface EventType {
  schema: DescMessage;
  /** As "transfer.completed". */
  name: string;
  topic: string;
  /** Reads whose event it is, and nothing else: most members have no endpoint. */
  memberIdOf(bytes: Uint8Array): string;
  /** @throws Error when the bytes are not such a message. */
  read(bytes: Uint8Array, facts: { id: string; time: Date }): MemberEvent;
}

/**
 * The events that members can be told: messages on a topic of events that say whose they are (member_id). A new
 * one in these files needs no line here.
 */
export function readEventTypes(files = FILES): Map<string, EventType> {
  const types = new Map<string, EventType>();
  for (const schema of files.flatMap(({ messages }) => messages)) {
    const policy = hasOption(schema, messagePolicy) ? getOption(schema, messagePolicy) : undefined;
    const member = schema.fields.find(({ name }) => name === "member_id");
    if (policy === undefined || !policy.topic.endsWith(".events.v1") || member === undefined) continue;
    types.set(schema.typeName, compileType(schema, policy.topic, policy.keyField, member));
  }
  return types;
}

function compileType(schema: DescMessage, topic: string, keyField: string, member: DescField): EventType {
  const name = eventTypeOf(schema.name);
  const key = schema.fields.find((field) => field.name === keyField);
  if (key === undefined) throw new Error(`${schema.typeName}: its message option names no key_field`);
  const version = schema.fields.find((field) => field.name === "version" && field.scalar === ScalarType.INT64);
  const write = dataWriter(schema);
  const fieldOf = (message: Message, field: DescField) =>
    (message as unknown as Record<string, unknown>)[field.localName];
  return {
    schema,
    name,
    topic,
    memberIdOf: (bytes) => peekText(bytes, member.number),
    read(bytes, { id, time }) {
      const message = decode(schema, bytes);
      return {
        id,
        type: name,
        time,
        memberId: String(fieldOf(message, member)),
        subject: String(fieldOf(message, key)),
        version: version === undefined ? 0n : (fieldOf(message, version) as bigint),
        data: write(message),
      };
    },
  };
}

/** Writes an event as the edge would show it, without the ids of members: the receiver's own, and others'. */
function dataWriter(schema: DescMessage): WriteMessage {
  const shown = schema.fields.filter(({ name }) => !/(^|_)member_id$/.test(name));
  const writers = shown.map((field) => ({ field, write: messageWriter(schema, undefined, field) }));
  return (message) => {
    const members = writers
      .map(({ field, write }) => ({ name: JSON.stringify(field.jsonName), text: write(message) }))
      .filter(({ text }) => text !== "null")
      .map(({ name, text }) => `${name}:${text}`);
    return `{${members.join(",")}}`;
  };
}

/** One text field of a message's own, without decoding the rest; empty when it is not there. */
function peekText(bytes: Uint8Array, number: number): string {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === number) return reader.string();
    reader.skip(wireType, field);
  }
  return "";
}
