import { Counter, Gauge, type Metric, Registry } from "prom-client";

export type Labels = Readonly<Record<string, string>>;

/** One value of a metric, read when the metrics are. */
export interface Sample {
  labels?: Labels;
  value: number;
}

/** How many of what was measured fell between the bounds of a histogram. */
export interface Distribution {
  labels?: Labels;
  /** One count for each bound, of what was at most that and above the one before; the last counts the rest. */
  counts: ArrayLike<number>;
  /** Of all that was measured, in the metric's unit. */
  sum: number;
}

/** What a metric says about itself: docs/metrics.md is made of it. */
export interface MetricInfo {
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  labels: readonly string[];
}

type Source<Value> = () => Iterable<Value> | Promise<Iterable<Value>>;

export interface SampledMetric<Value> {
  /**
   * Adds a source, which is asked when the metrics are read and at no other time. Values of several
   * sources with the same labels are added up; a source that fails is left out.
   *
   * @returns takes the source out again: who ends before the process does calls it.
   */
  from(read: Source<Value>): () => void;
}

const registry = new Registry();
const known: MetricInfo[] = [];

/**
 * A metric costs the work that it counts nothing but an addition: it has no values of its own, and reads
 * what the parts of the process keep anyway. A process has one registry, so a name can be taken once.
 */
function sampled<Value>(info: MetricInfo) {
  const sources = new Set<Source<Value>>();
  known.push(info);
  return {
    metric: {
      from(read: Source<Value>) {
        sources.add(read);
        return () => void sources.delete(read);
      },
    },
    async read(): Promise<Value[]> {
      const all = await Promise.allSettled([...sources].map(async (source) => [...(await source())]));
      return all.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
    },
  };
}

/** A metric of one value for each set of labels. */
function plain(Kind: typeof Counter | typeof Gauge, info: MetricInfo): SampledMetric<Sample> {
  const { metric, read } = sampled<Sample>(info);
  new Kind({
    ...{ name: info.name, help: info.help, labelNames: [...info.labels], registers: [registry] },
    async collect() {
      const samples = await read();
      this.reset();
      for (const sample of samples) this.inc(sample.labels ?? {}, sample.value);
    },
  });
  return metric;
}

/** A count that only grows while the process lives. Its name ends in "_total". */
export function counter(name: string, help: string, labels: readonly string[] = []): SampledMetric<Sample> {
  return plain(Counter, { name, type: "counter", help, labels });
}

/** A value that rises and falls, in the unit that its name ends in. */
export function gauge(name: string, help: string, labels: readonly string[] = []): SampledMetric<Sample> {
  return plain(Gauge, { name, type: "gauge", help, labels });
}

/** Distributions over fixed upper bounds, in the unit that its name ends in. */
export function histogram(
  name: string,
  help: string,
  bounds: readonly number[],
  labels: readonly string[] = [],
): SampledMetric<Distribution> {
  const { metric, read } = sampled<Distribution>({ name, type: "histogram", help, labels });
  // prom-client's own histograms count for themselves, at 1 us an observation; the registry asks no more than `get`.
  const shown = {
    ...{ name, help, type: "histogram", aggregator: "sum" },
    get: async () => ({ ...{ name, help, type: "histogram" }, values: (await read()).flatMap((one) => linesOf(one)) }),
  };
  registry.registerMetric(shown as unknown as Metric);
  return metric;

  function linesOf({ labels: own = {}, counts, sum }: Distribution) {
    let upTo = 0;
    const buckets = [...bounds, "+Inf"].map((le, index) => {
      upTo += counts[index] ?? 0;
      return { metricName: `${name}_bucket`, labels: { ...own, le: String(le) }, value: upTo };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: own, value: sum },
      { metricName: `${name}_count`, labels: own, value: upTo },
    ];
  }
}

/** Takes several sources out at once: who shows itself in many metrics leaves all of them together. */
export function removerOf(removals: readonly (() => void)[]): () => void {
  return () => {
    for (const remove of removals) remove();
  };
}

/** All metrics of this process as Prometheus reads them (text format 0.0.4). */
export function readMetrics(): Promise<string> {
  return registry.metrics();
}

/** The media type of `readMetrics`. */
export const metricsContentType: string = registry.contentType;

/** Every metric that the loaded parts of the platform have, in the order of names. */
export function knownMetrics(): readonly MetricInfo[] {
  return known.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

counter("process_cpu_seconds_total", "CPU time of the process, user and system.").from(() => {
  const { user, system } = process.cpuUsage();
  return [{ value: (user + system) / 1e6 }];
});
gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.").from(() => [
  { value: process.memoryUsage.rss() },
]);
gauge("process_start_time_seconds", "When the process started, Unix time.").from(() => [
  { value: Math.round(Date.now() / 1000 - process.uptime()) },
]);
