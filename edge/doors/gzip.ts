import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";

const pack = promisify(gzip);
const unpack = promisify(gunzip);

/** The compression that every client of these protocols knows. What unpacks to more than is allowed is not unpacked. */
export const gzipCompression: Compression = {
  name: "gzip",
  async compress(bytes) {
    return pack(bytes);
  },
  async decompress(bytes, readMaxBytes) {
    if (bytes.length === 0) return new Uint8Array(0);
    try {
      return await unpack(bytes, { maxOutputLength: readMaxBytes });
    } catch (error) {
      const isTooLarge = error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
      if (isTooLarge)
        throw new ConnectError(`message is larger than ${readMaxBytes} bytes, unpacked`, Code.ResourceExhausted);
      throw new ConnectError("message is no valid gzip", Code.InvalidArgument);
    }
  },
};
