import { setTimeout as pause } from "node:timers/promises";
import type { HttpAnswer, HttpClient } from "./http.ts";
import type { Outcome } from "./recorder.ts";
import type { Order } from "./workload.ts";

const FIRST_POLL_MS = 50;
const MAX_POLL_MS = 1_000;
/** Longer than the saga may take to give up before its pivot, several times over. */
const MAX_POLLS = 180;
const COMPLETED = '"state":"TRANSFER_STATE_COMPLETED"';

/** How an order ended; with the transfer's id where one was made. */
export type Sent = Outcome & { transferId?: string };

const transferIdOf = (body: string): string =>
  (JSON.parse(body) as { data?: { transfer?: { id?: string } } }).data?.transfer?.id ?? "";

/** Sees an answer that is no success: the edge's refusals apart from what should never come. */
function failureOf(answer: HttpAnswer): Outcome {
  const { status, headers, body } = answer;
  if (status === 429 || status === 503)
    return { kind: "refused", status, retryAfter: headers["retry-after"] !== undefined, example: body };
  return { kind: "failed", what: `answered ${status}`, example: body };
}

async function repeat(http: HttpClient, order: Order, first: string): Promise<Outcome> {
  const answer = await http.send(order.request);
  const replayed = answer.headers["idempotency-replayed"] === "true";
  const right = answer.status === 200 && replayed && answer.body.includes(COMPLETED);
  if (right && transferIdOf(answer.body) === transferIdOf(first)) return { kind: "transfer", replayed: true };
  if (answer.status === 429 || answer.status === 503) return failureOf(answer);
  const example = `${answer.status}, idempotency-replayed ${replayed}: ${answer.body}`;
  return { kind: "failed", what: "a replay was answered otherwise", example };
}

/** Asks until a transfer that was accepted has come to its end. */
async function follow(http: HttpClient, order: Order, accepted: HttpAnswer): Promise<HttpAnswer> {
  const { authorization = "" } = order.request.headers;
  const request = {
    method: "GET" as const,
    path: `/v1/transfers/${transferIdOf(accepted.body)}`,
    headers: { authorization },
  };
  let answer = accepted;
  let waitMs = FIRST_POLL_MS;
  for (let poll = 0; poll < MAX_POLLS && !isEnd(answer); poll++) {
    await pause(waitMs);
    waitMs = Math.min(waitMs * 1.5, MAX_POLL_MS);
    const next = await http.send(request);
    if (next.status < 300) answer = next; // A refused look is looked at again.
  }
  return answer;
}

const isEnd = ({ body }: HttpAnswer) => /"state":"TRANSFER_STATE_(COMPLETED|FAILED|CANCELED|PARKED)"/.test(body);

export interface SendOptions {
  /** Whether it is sent once more with the same key when it has ended; that answer is checked. */
  replay: boolean;
  /** Whether the id of the transfer is wanted. */
  wantId: boolean;
  /** Told when the order has come to its end: a replay after it is not of its duration. */
  ended(): void;
}

/** Carries an order out as a client does, to the end that a client sees. */
export async function send(http: HttpClient, order: Order, { replay, wantId, ended }: SendOptions): Promise<Sent> {
  const first = await http.send(order.request);
  if (order.kind === "read") {
    ended();
    return first.status === 200 ? { kind: "read" } : failureOf(first);
  }
  if (first.status !== 201 && first.status !== 202) {
    ended();
    return failureOf(first);
  }
  const answer = first.status === 201 && first.body.includes(COMPLETED) ? first : await follow(http, order, first);
  ended();
  if (!answer.body.includes(COMPLETED)) {
    const state = /"state":"TRANSFER_STATE_(\w+)"/.exec(answer.body)?.[1] ?? "unknown";
    return { kind: "failed", what: `a transfer is ${state}`, example: answer.body };
  }
  const outcome: Outcome = replay ? await repeat(http, order, answer.body) : { kind: "transfer" };
  return wantId ? { ...outcome, transferId: transferIdOf(answer.body) } : outcome;
}
