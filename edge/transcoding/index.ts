/**
 * google.api.http for protobuf-es: HTTP requests to messages, messages to JSON, by the annotations of descriptors.
 * `compileRoutes` is the way in; README.md tells the rest.
 */
export type { AnswerForm } from "./answer.ts";
export { type CompileOptions, compileRoutes, nameOf, type OfferedRoute, type RouteTable } from "./compile.ts";
export { BadField, ContractError } from "./errors.ts";
export { type FieldPath, findFieldPath, setFromTexts } from "./field-path.ts";
export { type JsonNode, MAX_DEPTH, parseJson } from "./json-text.ts";
export { type PathTemplate, parsePathTemplate, type Segment, type Variable } from "./path-template.ts";
export { type ReadContext, readMessage } from "./read-message.ts";
export type { RenderedRequest } from "./render-request.ts";
export type { BodyForm } from "./request-body.ts";
export type { RequestParts, Route } from "./route.ts";
export type { TrieMatch } from "./route-trie.ts";
