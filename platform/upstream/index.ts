export { type FallbackOptions, withLastAnswer } from "./fallback.ts";
export {
  type BreakerOptions,
  createUpstream,
  type Upstream,
  UpstreamIll,
  type UpstreamOptions,
  type UpstreamState,
  type UpstreamStatus,
} from "./upstream.ts";
