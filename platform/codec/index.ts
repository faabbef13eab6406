export { type Codec, codecOf, create, decode, encode } from "./codec.ts";
export { messageWriter, type WriteMessage } from "./json-writer.ts";
