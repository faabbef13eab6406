/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), eight bytes a step; node:zlib has only the other CRC-32. */
const TABLES = buildTables();

/** The checksum of `buffer` from `start` to `end`, as an unsigned 32-bit number. */
export function crc32c(buffer: Uint8Array, start = 0, end = buffer.length): number {
  const tables = TABLES;
  let crc = -1;
  let at = start;
  for (const last = end - 8; at <= last; at += 8) {
    const low = crc ^ (buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24));
    crc =
      tables[1792 + (low & 255)]! ^
      tables[1536 + ((low >>> 8) & 255)]! ^
      tables[1280 + ((low >>> 16) & 255)]! ^
      tables[1024 + (low >>> 24)]! ^
      tables[768 + buffer[at + 4]!]! ^
      tables[512 + buffer[at + 5]!]! ^
      tables[256 + buffer[at + 6]!]! ^
      tables[buffer[at + 7]!]!;
  }
  for (; at < end; at += 1) crc = tables[(crc ^ buffer[at]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Table n, at n * 256, advances the checksum of one byte by n further zero bytes. */
function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at += 1) {
    const previous = tables[at - 256]!;
    tables[at] = tables[previous & 255]! ^ (previous >>> 8);
  }
  return tables;
}
