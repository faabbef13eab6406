export { type Codec, codecOf, decode, encode } from "./codec.ts";
