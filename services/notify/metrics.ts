import { counter, gauge } from "@ferry/platform/telemetry";

const attempts = counter("ferry_webhook_attempts_total", "Attempts to deliver a webhook, by what came of them.", [
  "outcome",
]);
const inFlight = gauge("ferry_webhooks_in_flight", "Webhooks that this process is sending now.");
const pending = gauge("ferry_webhooks_pending", "Deliveries that wait or are being sent, as the database has them.");
const endpoints = gauge("ferry_webhook_endpoints", "Endpoints by state: well, failing, disabled.", ["state"]);

/** How many endpoints there are of each state, and how many deliveries wait for all of them. */
export interface QueueFigures {
  well: number;
  failing: number;
  disabled: number;
  pending: number;
}

export interface WebhookSources {
  /** Since the process started. */
  attempts(): { delivered: number; failed: number };
  inFlight(): number;
  queue(): Promise<QueueFigures>;
}

/** Shows a process's webhooks in its metrics. @returns takes them out again. */
export function showWebhooks(sources: WebhookSources): () => void {
  let asked: { untilMs: number; figures: Promise<QueueFigures> } | undefined;
  // One question for all that one reading of the metrics shows.
  const queue = () => {
    if (asked === undefined || asked.untilMs < Date.now())
      asked = { untilMs: Date.now() + 1_000, figures: sources.queue() };
    return asked.figures;
  };
  const shown = [
    attempts.from(() => Object.entries(sources.attempts()).map(([outcome, value]) => ({ labels: { outcome }, value }))),
    inFlight.from(() => [{ value: sources.inFlight() }]),
    pending.from(async () => [{ value: (await queue()).pending }]),
    endpoints.from(async () => {
      const { well, failing, disabled } = await queue();
      return Object.entries({ well, failing, disabled }).map(([state, value]) => ({ labels: { state }, value }));
    }),
  ];
  return () => {
    for (const hide of shown) hide();
  };
}
