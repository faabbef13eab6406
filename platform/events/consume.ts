import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { decode as decodeMessage } from "@ferry/platform/codec";
import { isSampled } from "@ferry/platform/telemetry";
import { deadLetterOf, shortText } from "./dead-letters.ts";
import { readHeaders } from "./headers.ts";
import { countDeadLetter } from "./metrics.ts";
import type { Bus, ConsumeOptions, Envelope, ReceivedRecord, Subscription } from "./types.ts";

type Decoded = Envelope<MessageShape<DescMessage>> | "ignored" | "buried";

function decode(record: ReceivedRecord, schemas: ReadonlyMap<string, DescMessage>): Decoded {
  const facts = readHeaders(record.headers);
  const schema = schemas.get(facts.type);
  if (schema === undefined) return "ignored";
  if (record.value === undefined) throw new Error("message has no value");
  return Object.assign(facts, { key: record.key ?? "", message: decodeMessage(schema, record.value) });
}

/**
 * Subscribes to topics and hands decoded sets to the handler. What cannot be decoded, and by default
 * what has a type that is not asked for, goes to the dead letters. Unknown fields of messages are kept.
 *
 * @returns when the group has been joined.
 */
export function consume<const Schemas extends readonly DescMessage[]>(
  bus: Bus,
  options: ConsumeOptions<Schemas>,
): Promise<Subscription> {
  const { group, topics, maxMessages, unknownTypes = "dead-letter" } = options;
  const schemas = new Map(options.schemas.map((schema) => [schema.typeName, schema]));
  // A set that failed comes again, whole or in halves, with the same records: each is decoded, and buried, once.
  const known = new Map<ReceivedRecord, Decoded>();

  async function bury(record: ReceivedRecord, error: unknown): Promise<"buried"> {
    const { topic, partition, offset } = record;
    const fields = { group, topic, partition, offset: String(offset), error: shortText(error) };
    bus.logger.error(fields, "message goes to the dead letters");
    await bus.publish([deadLetterOf(record, group, error)]);
    countDeadLetter(group);
    return "buried";
  }

  function read(record: ReceivedRecord): Decoded | Promise<"buried"> {
    try {
      const decoded = decode(record, schemas);
      if (decoded !== "ignored" || unknownTypes === "ignore") return decoded;
    } catch (error) {
      return bury(record, error);
    }
    return bury(record, new Error(`type ${record.headers.ce_type} is not one that ${group} handles`));
  }

  async function handle(set: readonly ReceivedRecord[]): Promise<void> {
    if (!known.has(set[0]!)) known.clear();
    const all: Decoded[] = [];
    try {
      for (const record of set) {
        const decoded = known.get(record) ?? read(record);
        all.push(decoded instanceof Promise ? await decoded : decoded);
      }
      await handOver(set, all);
    } catch (error) {
      for (const [index, decoded] of all.entries()) known.set(set[index]!, decoded);
      throw error;
    }
  }

  async function handOver(set: readonly ReceivedRecord[], all: readonly Decoded[]): Promise<void> {
    const startedAtMs = Date.now();
    const envelopes: Envelope<MessageShape<DescMessage>>[] = [];
    const sampled: [envelope: Envelope<unknown>, record: ReceivedRecord][] = [];
    for (const [index, decoded] of all.entries()) {
      if (typeof decoded === "string") continue;
      envelopes.push(decoded);
      if (isSampled(decoded.traceparent)) sampled.push([decoded, set[index]!]);
    }
    if (envelopes.length === 0) return;
    await options.handle(envelopes as Envelope<MessageShape<Schemas[number]>>[]);
    for (const [{ type, traceparent, sagaId }, { topic, partition }] of sampled)
      bus.logger.hop("kafka", type, startedAtMs, { topic, partition, group, sagaId, traceparent });
  }

  return bus.subscribe({ group, topics, maxMessages, handle });
}
