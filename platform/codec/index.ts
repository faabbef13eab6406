export { type Codec, codecOf, create, decode, encode } from "./codec.ts";
