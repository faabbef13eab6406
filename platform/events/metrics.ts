import { counter, gauge } from "@ferry/platform/telemetry";

/** What a subscription has done, counted once a set. */
export class ConsumerFigures {
  sets = 0;
  messages = 0;
  /** Why the handler waits; undefined while it goes on. */
  paused: string | undefined;
  /** By topic and partition: messages behind the last one that was handled, as of the last fetch. */
  readonly lag = new Map<string, number>();
}

const shown = new Map<ConsumerFigures, string>();
const ofEach = (read: (figures: ConsumerFigures) => number) => () =>
  [...shown].map(([figures, group]) => ({ labels: { group }, value: read(figures) }));

counter("ferry_consumer_sets_total", "Sets of messages that were handled.", ["group"]).from(ofEach(({ sets }) => sets));
counter("ferry_consumer_messages_total", "Messages that were handled.", ["group"]).from(
  ofEach(({ messages }) => messages),
);
gauge("ferry_consumer_paused", "1 while the handler waits for what it stands on, as a database that is away.", [
  "group",
]).from(ofEach(({ paused }) => (paused === undefined ? 0 : 1)));
gauge("ferry_consumer_lag_messages", "Messages that wait in this process's partitions, as of its last fetch.", [
  "group",
]).from(ofEach(({ lag }) => [...lag.values()].reduce((sum, one) => sum + one, 0)));

/** By group. */
const buried = new Map<string, number>();

counter("ferry_dead_letters_total", "Messages that this process could not handle, and gave to the dead letters.", [
  "group",
]).from(() => [...buried].map(([group, value]) => ({ labels: { group }, value })));

/** Counts a message that the dead letters have. */
export function countDeadLetter(group: string): void {
  buried.set(group, (buried.get(group) ?? 0) + 1);
}

/** Shows a subscription in the metrics. @returns takes it out again. */
export function showConsumer(group: string, figures: ConsumerFigures): () => void {
  shown.set(figures, group);
  return () => void shown.delete(figures);
}

/** What all subscriptions of this process wait for, and whether one of them is paused. */
export function consumersOfProcess(): { group: string; lag: number; paused: string | undefined }[] {
  return [...shown].map(([{ lag, paused }, group]) => ({
    group,
    lag: [...lag.values()].reduce((sum, one) => sum + one, 0),
    paused,
  }));
}
