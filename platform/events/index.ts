export { consume } from "./consume.ts";
export { deadLetterTopic } from "./dead-letters.ts";
export { header, type MessageFacts, readHeaders, writeHeaders } from "./headers.ts";
export { createKafkaBus, type KafkaBusOptions } from "./kafka-bus.ts";
export { createMemoryBus, type MemoryBus, type MemoryBusOptions } from "./memory-bus.ts";
export { keyOf, topicOf } from "./schema.ts";
export type {
  Bus,
  ConsumeOptions,
  Envelope,
  OutgoingRecord,
  ReceivedRecord,
  SubscribeOptions,
  Subscription,
} from "./types.ts";
