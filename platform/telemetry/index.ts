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
export {
  counter,
  type Distribution,
  gauge,
  histogram,
  knownMetrics,
  type Labels,
  type MetricInfo,
  metricsContentType,
  readMetrics,
  removerOf,
  type Sample,
  type SampledMetric,
} from "./metrics.ts";
export { type Sweep, sweep, sweepsOfProcess } from "./sweeps.ts";
