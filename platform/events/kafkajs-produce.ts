/**
 * Produce requests for kafkajs, to the same bytes as its own, in one pass.
 *
 * kafkajs makes an encoder of 512 zeroed bytes for each record, batch, partition and topic, copies
 * all of them into ever larger ones, builds each number through a 64-bit object, and takes its checksum
 * byte by byte. Together that was half of what a published message costs. Format: https://kafka.apache.org/documentation/#recordbatch
 */
import { crc32c } from "./crc32c.ts";

type Bytes = Uint8Array | string | null | undefined;

export interface ProducedMessage {
  key?: Bytes;
  value?: Bytes;
  headers?: Readonly<Record<string, Bytes | Bytes[]>>;
  timestamp?: string;
}

/** What kafkajs gives to its own encoder. */
export interface ProduceCall {
  acks: number;
  timeout: number;
  transactionalId?: string | null;
  producerId?: unknown;
  producerEpoch?: number;
  /** 0 or undefined: none. */
  compression?: number;
  topicData: readonly {
    topic: string;
    partitions: readonly { partition: number; firstSequence?: number; messages: readonly ProducedMessage[] }[];
  }[];
}

/** What kafkajs takes for an encoder. */
interface Encoded {
  buf: Buffer;
  buffer: Buffer;
}

interface Request {
  apiKey: number;
  apiVersion: number;
  apiName: string;
  expectResponse(): boolean;
  encode(): Promise<Encoded>;
}

const PRODUCE = { apiKey: 0, apiVersion: 3, apiName: "Produce" };
const FIRST_BYTES = 64 * 1024;
/** A request is below 1 MiB; what was larger once is given back. */
const KEPT_BYTES = 2 * 1024 * 1024;
/** Text up to here has a length of one byte on the wire. */
const SHORT_TEXT = 64;
/** Where a batch's length, checksum and the part under it begin, counted from the batch. */
const LENGTH_AT = 8;
const LENGTH_COUNTS_FROM = 12;
const CHECKSUM_AT = 17;
const CHECKED_FROM = 21;

/** Length of a zigzag varint of up to 32 bits. */
function varintLength(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x200000) return 3;
  return zigzag < 0x10000000 ? 4 : 5;
}

/** Writes into a buffer that grows and is used again by the next request. */
class Scratch {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #at = 0;

  /** Runs a writer from the beginning. @returns a copy of what it wrote. */
  write(run: (scratch: Scratch) => void): Buffer {
    this.#at = 0;
    run(this);
    const written = Buffer.from(this.#buffer.subarray(0, this.#at));
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return written;
  }

  int16(value: number): void {
    this.#reserve(2);
    this.#at = this.#buffer.writeInt16BE(value, this.#at);
  }

  int32(value: number): void {
    this.#reserve(4);
    this.#at = this.#buffer.writeInt32BE(value, this.#at);
  }

  int64(value: bigint): void {
    this.#reserve(8);
    this.#at = this.#buffer.writeBigInt64BE(value, this.#at);
  }

  /** Text with a length of two bytes before it. */
  string(value: string): void {
    this.#reserve(2 + value.length * 3);
    const length = this.#buffer.write(value, this.#at + 2);
    this.#at = this.#buffer.writeInt16BE(length, this.#at) + length;
  }

  batch(call: ProduceCall, firstSequence: number, messages: readonly ProducedMessage[]): void {
    this.int32(0); // The batch's size follows when it is known.
    const from = this.#at;
    const now = BigInt(Date.now());
    this.int64(0n); // The first offset is the broker's to give.
    this.int32(0); // The length follows.
    this.int32(0); // The leader's epoch is the broker's.
    this.#reserve(1);
    this.#buffer[this.#at++] = 2; // The format.
    this.int32(0); // The checksum follows.
    this.int16(0); // Nothing is compressed, nothing is in a transaction.
    this.int32(messages.length - 1);
    this.int64(now);
    this.int64(now);
    this.int64(BigInt(String(call.producerId ?? -1)));
    this.int16(call.producerEpoch ?? 0);
    this.int32(firstSequence);
    this.int32(messages.length);
    for (let index = 0; index < messages.length; index++) this.#record(messages[index]!, index);
    const to = this.#at;
    this.#buffer.writeInt32BE(to - from, from - 4);
    this.#buffer.writeInt32BE(to - from - LENGTH_COUNTS_FROM, from + LENGTH_AT);
    this.#buffer.writeUInt32BE(crc32c(this.#buffer, from + CHECKED_FROM, to), from + CHECKSUM_AT);
  }

  #record({ key, value, headers }: ProducedMessage, offsetDelta: number): void {
    this.#reserve(16);
    const from = this.#at;
    this.#at += 4; // Two bytes for the length of most records, attributes, and a time that is the batch's.
    this.#buffer[from + 2] = 0;
    this.#buffer[from + 3] = 0;
    this.#varint(offsetDelta);
    this.#bytes(key);
    this.#bytes(value);
    let count = 0;
    for (const name in headers) count += Array.isArray(headers[name]) ? headers[name].length : 1;
    this.#reserve(5);
    this.#varint(count);
    for (const name in headers) {
      const content = headers[name];
      if (Array.isArray(content)) for (const one of content) this.#header(name, one);
      else this.#header(name, content);
    }
    this.#putLength(from);
  }

  /** Writes the record's length before it, and moves it where that does not take two bytes. */
  #putLength(from: number): void {
    const body = from + 2;
    const length = this.#at - body;
    const shift = varintLength(length) - 2;
    if (shift !== 0) {
      this.#reserve(3);
      this.#buffer.copyWithin(body + shift, body, this.#at);
    }
    this.#at = from;
    this.#varint(length);
    this.#at += length;
  }

  #header(name: string, content: Bytes): void {
    this.#text(name);
    this.#bytes(content);
  }

  #bytes(value: Bytes): void {
    if (typeof value === "string") {
      this.#text(value);
      return;
    }
    this.#reserve(5 + (value?.length ?? 0));
    this.#varint(value?.length ?? -1);
    if (value === null || value === undefined) return;
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  /** Most texts are short and ASCII: a loop takes half the time of a call that leaves JavaScript. */
  #text(value: string): void {
    const { length } = value;
    this.#reserve(5 + length * 3);
    const buffer = this.#buffer;
    if (length < SHORT_TEXT) {
      let at = this.#at;
      buffer[at++] = length << 1;
      let seen = 0;
      for (let index = 0; index < length; index++) {
        const code = value.charCodeAt(index);
        seen |= code;
        buffer[at++] = code;
      }
      if (seen < 0x80) {
        this.#at = at;
        return;
      }
    }
    this.#varint(Buffer.byteLength(value));
    this.#at += buffer.write(value, this.#at);
  }

  /** Its bytes are reserved by the caller. */
  #varint(value: number): void {
    let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
    while (zigzag > 0x7f) {
      this.#buffer[this.#at++] = (zigzag & 0x7f) | 0x80;
      zigzag >>>= 7;
    }
    this.#buffer[this.#at++] = zigzag;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }
}

const scratch = new Scratch();

/** The body of a produce request. Compression, transactions and times of one's own are not for it. */
export function encodeProduce(call: ProduceCall): Buffer {
  return scratch.write((to) => {
    to.int16(-1); // No transaction.
    to.int16(call.acks);
    to.int32(call.timeout);
    to.int32(call.topicData.length);
    for (const { topic, partitions } of call.topicData) {
      to.string(topic);
      to.int32(partitions.length);
      for (const { partition, firstSequence = 0, messages } of partitions) {
        to.int32(partition);
        to.batch(call, firstSequence, messages);
      }
    }
  });
}

/** In the place of kafkajs's own, which is asked where a request has what `encodeProduce` has not. */
export function produceRequest(original: (call: ProduceCall) => Request): (call: ProduceCall) => Request {
  return (call) => {
    const plain = !call.compression && !call.transactionalId;
    const timed = ({ messages }: { messages: readonly ProducedMessage[] }) => messages.some((one) => one.timestamp);
    if (!plain || call.topicData.some(({ partitions }) => partitions.some(timed))) return original(call);
    return {
      ...PRODUCE,
      expectResponse: () => call.acks !== 0,
      async encode() {
        const buffer = encodeProduce(call);
        return { buf: buffer, buffer };
      },
    };
  };
}

/** A whole request: size, header and body, in one buffer where kafkajs makes two that grow. */
export async function frameRequest(call: {
  correlationId: number;
  clientId: string | null;
  request: Request;
}): Promise<{ buffer: Buffer }> {
  const { correlationId, clientId, request } = call;
  const { buffer: body } = await request.encode();
  const idLength = clientId === null ? 0 : Buffer.byteLength(clientId);
  const buffer = Buffer.allocUnsafe(14 + idLength + body.length);
  buffer.writeInt32BE(buffer.length - 4, 0);
  buffer.writeInt16BE(request.apiKey, 4);
  buffer.writeInt16BE(request.apiVersion, 6);
  buffer.writeInt32BE(correlationId, 8);
  buffer.writeInt16BE(clientId === null ? -1 : idLength, 12);
  if (clientId !== null) buffer.write(clientId, 14);
  body.copy(buffer, 14 + idLength);
  return { buffer };
}
