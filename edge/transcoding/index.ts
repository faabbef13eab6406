export { messageWriter, type WriteMessage } from "@ferry/platform/codec";
export { compileRoutes, nameOf, type OfferedRoute, type RouteTable } from "./compile.ts";
export { BadField, ContractError } from "./errors.ts";
export { findFieldPath } from "./field-path.ts";
export { MAX_DEPTH, parseJson } from "./json-text.ts";
export { parsePathTemplate } from "./path-template.ts";
export { readMessage } from "./read-message.ts";
export type { RequestParts, Route } from "./route.ts";
export type { TrieMatch } from "./route-trie.ts";
