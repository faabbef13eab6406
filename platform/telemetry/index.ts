export { type Build, buildOf, buildVariables } from "./build.ts";
export {
  currentContext,
  isSampled,
  isTraceparent,
  newTraceparent,
  runInContext,
  traceIdOf,
  type WorkContext,
} from "./context.ts";
export { createLogger, type Fields, type Logger, type LoggerOptions, silentLogger } from "./logger.ts";
