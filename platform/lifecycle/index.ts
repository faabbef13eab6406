export { type AlarmOptions, createAlarm } from "./alarm.ts";
export { type EveryOptions, every } from "./every.ts";
export { type KafkaSecurityConfig, kafkaSecurityVariables, readKafkaSecurity } from "./kafka-security.ts";
export { demandPrivateHost, demandPrivateUrl, isLoopback, type MutualTls, readTls } from "./private-links.ts";
export { type ProbeOptions, startProbes } from "./probes.ts";
export { type Component, type ProcessOptions, runProcess } from "./process.ts";
export {
  runService,
  type Service,
  type ServiceAudit,
  type ServiceOptions,
  type ServiceParts,
  whenAvailable,
} from "./service.ts";
export {
  authorityUrl,
  identityVariables,
  parkAfterVariable,
  type ServiceConfig,
  serviceVariables,
} from "./service-config.ts";
