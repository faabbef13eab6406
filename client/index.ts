export type {
  Call,
  CallOptions,
  Int64Input,
  JsonValue,
  PagedCall,
  RawAnswer,
  StreamCall,
  StreamOptions,
  TimeInput,
  WithKey,
  WithRawBody,
  WithWait,
} from "./calls.ts";
export { answerFacts, type ClientOptions, createFerryClient } from "./client.ts";
export { type ClientErrorCode, FerryApiError, type FieldViolation } from "./errors.ts";
export type * from "./gen/client.ts";
export type { ErrorCode } from "./gen/errors.ts";
export type { RetryLimits } from "./retries.ts";
export type { AnswerFacts, Fetch } from "./send.ts";
export { createSession, type Session, type SessionTokens, type TokenProvider } from "./tokens.ts";
