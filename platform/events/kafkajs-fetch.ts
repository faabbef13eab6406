/**
 * Record batches for kafkajs, decoded in one pass to what its own decoder gives.
 *
 * kafkajs makes a decoder and seven strings for each record, decodes the name and the value of each
 * header by a call of its own, and compares offsets through 64-bit objects. Here a record is its place
 * in the buffer, and what is asked for is decoded then. Format: https://kafka.apache.org/documentation/#record
 */

/** What kafkajs tells about the batch that a record came in. */
export interface BatchContext {
  firstOffset?: string;
  firstTimestamp?: string;
  magicByte?: number;
  isControlBatch?: boolean;
  timestampType?: number;
  maxTimestamp?: string;
}

interface Decoder {
  buffer: Buffer;
  offset: number;
}

const LOG_APPEND_TIME = 1;
/** Where the parts of a batch are, counted from its first byte. */
const LENGTH_AT = 8;
const LENGTH_COUNTS_FROM = 12;
const ATTRIBUTES_AT = 21;
const RECORDS_AT = 61;
const COMPRESSION_BITS = 0x07;
const TIMESTAMP_BIT = 0x08;
const TRANSACTION_BIT = 0x10;
const CONTROL_BIT = 0x20;

/** Names that are compared with, by their length, before a name is taken out of the text. */
const KNOWN_NAMES: readonly (readonly string[])[] = knownNames([
  ...["ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion", "content-type"],
  ...["traceparent", "saga_id", "saga_step", "reply_to", "expires_at"],
]);

function knownNames(names: readonly string[]): string[][] {
  const longest = Math.max(...names.map(({ length }) => length));
  return Array.from({ length: longest + 1 }, (_, length) => names.filter((name) => name.length === length));
}

/** Reads the parts of a record one after the other. */
class Reader {
  readonly source: Buffer;
  at: number;
  constructor(source: Buffer, at: number) {
    this.source = source;
    this.at = at;
  }

  varint(): number {
    const first = this.source[this.at++]!;
    if (first < 0x80) return (first >>> 1) ^ -(first & 1);
    let raw = first & 0x7f;
    let shift = 7;
    let byte: number;
    do {
      byte = this.source[this.at++]!;
      raw |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte > 0x7f);
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** A number of up to 64 bits; exact within 2^53. */
  varlong(): number {
    let raw = 0;
    let scale = 1;
    let byte: number;
    do {
      byte = this.source[this.at++]!;
      raw += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte > 0x7f);
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }

  /** Passes over a field with its length before it. */
  skip(): void {
    const length = this.varint();
    if (length > 0) this.at += length;
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const from = this.at;
    this.at += length;
    return this.source.subarray(from, this.at);
  }

  text(): string | null {
    const length = this.varint();
    if (length < 0) return null;
    const from = this.at;
    this.at += length;
    return this.source.toString("utf8", from, this.at);
  }
}

/** A record as kafkajs gives it. It begins where the reader is, after its length, and ends at `end`. */
export class DecodedRecord {
  readonly batchContext: BatchContext;
  readonly attributes: number;
  readonly place: bigint;
  readonly value: Buffer | null;
  readonly #timestampDelta: number;
  readonly #source: Buffer;
  readonly #keyAt: number;
  readonly #headersAt: number;
  readonly #end: number;

  /** @param firstOffset of the batch. */
  constructor(reader: Reader, end: number, firstOffset: bigint, context: BatchContext) {
    this.batchContext = context;
    this.#source = reader.source;
    this.#end = end;
    this.attributes = reader.source.readInt8(reader.at++);
    this.#timestampDelta = reader.varlong();
    this.place = firstOffset + BigInt(reader.varint());
    this.#keyAt = reader.at;
    reader.skip();
    this.value = reader.bytes();
    this.#headersAt = reader.at;
  }

  get offset(): string {
    return String(this.place);
  }

  get key(): Buffer | null {
    return new Reader(this.#source, this.#keyAt).bytes();
  }

  get textKey(): string | null {
    return new Reader(this.#source, this.#keyAt).text();
  }

  get magicByte(): number | undefined {
    return this.batchContext.magicByte;
  }

  get isControlRecord(): boolean {
    return this.batchContext.isControlBatch ?? false;
  }

  get timestamp(): string {
    const { timestampType, maxTimestamp, firstTimestamp = "0" } = this.batchContext;
    return timestampType === LOG_APPEND_TIME && maxTimestamp
      ? maxTimestamp
      : String(BigInt(firstTimestamp) + BigInt(this.#timestampDelta));
  }

  get headers(): Record<string, Buffer | null | (Buffer | null)[]> {
    const reader = new Reader(this.#source, this.#headersAt);
    const headers: Record<string, Buffer | null | (Buffer | null)[]> = {};
    for (let left = reader.varint(); left > 0 && reader.at < this.#end; left--) {
      const name = String(reader.text());
      const value = reader.bytes();
      const before = headers[name];
      headers[name] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
    }
    return headers;
  }

  /**
   * Headers as text. Of a name that comes twice the last counts; a null is left out. A count of two thousand millions
   * where nothing follows ends with the record, not after minutes: whoever gets it next would stand still as well.
   */
  get textHeaders(): Record<string, string> {
    const from = this.#headersAt;
    const text = this.#source.toString("utf8", from, this.#end);
    // As many characters as bytes: each byte is one, so a place among the bytes is one in the text.
    return text.length === this.#end - from ? this.#cutHeaders(text) : this.#decodeHeaders();
  }

  /** One call decodes all headers of a record, where each by itself needed sixteen. */
  #cutHeaders(text: string): Record<string, string> {
    const from = this.#headersAt;
    const end = this.#end;
    const reader = new Reader(this.#source, from);
    const headers: Record<string, string> = {};
    for (let left = reader.varint(); left > 0 && reader.at < end; left--) {
      const nameLength = reader.varint();
      if (nameLength < 0) break; // It would lead back to where the reader was.
      const nameAt = reader.at - from;
      reader.at += nameLength;
      const length = reader.varint();
      if (length < 0) continue;
      const at = reader.at - from;
      reader.at += length;
      const known = KNOWN_NAMES[nameLength]?.find((name) => text.startsWith(name, nameAt));
      headers[known ?? text.substring(nameAt, nameAt + nameLength)] = text.substring(at, at + length);
    }
    return headers;
  }

  #decodeHeaders(): Record<string, string> {
    const reader = new Reader(this.#source, this.#headersAt);
    const headers: Record<string, string> = {};
    for (let left = reader.varint(); left > 0 && reader.at < this.#end; left--) {
      const name = String(reader.text());
      const value = reader.text();
      if (value !== null) headers[name] = value;
    }
    return headers;
  }
}

/** Decodes one record, as kafkajs asks for each of a batch that was compressed. @param decoder is all of the record. */
export function decodeRecord({ buffer, offset }: Decoder, context: BatchContext = {}): DecodedRecord {
  return new DecodedRecord(new Reader(buffer, offset), buffer.length, BigInt(context.firstOffset ?? 0), context);
}

/** The batch from `from` to `to`. */
function decodeWhole(source: Buffer, from: number, to: number) {
  const attributes = source.readInt16BE(from + ATTRIBUTES_AT);
  const firstOffset = source.readBigInt64BE(from);
  const context = {
    firstOffset: String(firstOffset),
    firstTimestamp: String(source.readBigInt64BE(from + 27)),
    partitionLeaderEpoch: source.readInt32BE(from + 12),
    inTransaction: (attributes & TRANSACTION_BIT) !== 0,
    isControlBatch: (attributes & CONTROL_BIT) !== 0,
    lastOffsetDelta: source.readInt32BE(from + 23),
    producerId: String(source.readBigInt64BE(from + 43)),
    producerEpoch: source.readInt16BE(from + 51),
    firstSequence: source.readInt32BE(from + 53),
    maxTimestamp: String(source.readBigInt64BE(from + 35)),
    timestampType: (attributes & TIMESTAMP_BIT) === 0 ? 0 : LOG_APPEND_TIME,
  };
  const recordContext = { ...context, magicByte: source.readInt8(from + 16) };
  const reader = new Reader(source, from + RECORDS_AT);
  const records: DecodedRecord[] = [];
  for (let left = source.readInt32BE(from + RECORDS_AT - 4); left > 0; left--) {
    const length = reader.varint();
    const end = reader.at + length;
    if (length < 0 || end > to) throw new RangeError("a record does not lie within its batch");
    records.push(new DecodedRecord(reader, end, firstOffset, recordContext));
    reader.at = end;
  }
  return { ...context, records };
}

type DecodeBatch = (decoder: Decoder) => Promise<{ records: unknown[] }>;

/** In the place of kafkajs's own, which is asked when a batch is compressed, or cut off by the fetch's limit. */
export function batchDecoder(original: DecodeBatch): DecodeBatch {
  return async (decoder) => {
    const { buffer, offset } = decoder;
    const to = offset + LENGTH_COUNTS_FROM + buffer.readInt32BE(offset + LENGTH_AT);
    if (to > buffer.length || to - offset < RECORDS_AT) return original(decoder);
    if ((buffer.readInt16BE(offset + ATTRIBUTES_AT) & COMPRESSION_BITS) !== 0) return original(decoder);
    decoder.offset = to;
    return decodeWhole(buffer, offset, to);
  };
}

interface PartitionData {
  partition: number;
  abortedTransactions?: readonly unknown[] | null;
  messages: unknown[];
}

/** As much of kafkajs's Batch as is set here. */
interface Batch {
  rawMessages: unknown[];
  messagesWithinOffset: unknown[];
  messages: unknown[];
}

type BatchClass = new (topic: string, fetchedOffset: string, data: PartitionData) => Batch;

/**
 * kafkajs's Batch, which compares the offset of each message with the one that was fetched, and looks
 * for control records: records of one fetch are in order, so it is enough to look at the first.
 */
export function batchClass(Original: BatchClass): BatchClass {
  return class extends Original {
    constructor(topic: string, fetchedOffset: string, data: PartitionData) {
      const { messages } = data;
      const first = messages[0];
      const plain =
        first instanceof DecodedRecord &&
        !data.abortedTransactions?.length &&
        first.place >= BigInt(fetchedOffset) &&
        messages.every((message) => message instanceof DecodedRecord && !message.isControlRecord);
      super(topic, fetchedOffset, plain ? { ...data, messages: [] } : data);
      if (plain) this.rawMessages = this.messagesWithinOffset = this.messages = messages;
    }
  };
}
