import { Agent, type Dispatcher } from "undici";
import type { BankAnswer, SimulatedBank } from "./bank.ts";
import type { Clockwork, Life } from "./clockwork.ts";
import type { Faults } from "./faults.ts";

const TRAVEL_MS: readonly [number, number] = [0.5, 20];
/** As the bank's own late answers; and what comes after everybody's patience. */
const LATE_MS = 5_000;
const LATER_MS: readonly [number, number] = [500, 10_000];
const FAILURE: BankAnswer = { status: 503, body: "{}", comes: "at once" };

export interface BankWireOptions {
  clockwork: Clockwork;
  faults: Faults;
  bank: SimulatedBank;
}

/** What undici tells the handler of a request about it, as far as the bank's client looks. */
function controllerOf(aborted: () => void): Dispatcher.DispatchController {
  return {
    aborted: false,
    paused: false,
    reason: null,
    rawHeaders: null,
    rawTrailers: null,
    abort: aborted,
    pause() {},
    resume() {},
  };
}

/** One request on its way: it can be lost, doubled, and so can its answer. */
class Request {
  readonly #options: BankWireOptions;
  readonly #life: Life;
  readonly #content: Dispatcher.DispatchOptions;
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #controller: Dispatcher.DispatchController;
  #over = false;

  constructor(options: BankWireOptions, content: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
    this.#options = options;
    this.#content = content;
    this.#handler = handler;
    this.#life = options.clockwork.life;
    this.#controller = controllerOf(() => {
      this.#over = true;
    });
    handler.onRequestStart?.(this.#controller, undefined);
  }

  send(): void {
    const { faults, clockwork } = this.#options;
    const { chance, world } = clockwork;
    if (faults.bites("bank cannot be reached", this.#life)) {
      const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
      this.#later(TRAVEL_MS, "bank refuses the connection", () => this.#fail(refused));
      return;
    }
    if (faults.bites("request to the bank lost", this.#life)) return;
    const what = `${this.#content.method} ${this.#content.path} to the bank`;
    clockwork.after(chance.between(...TRAVEL_MS), what, () => this.#arrive(), { life: world });
    if (this.#content.method === "POST" && faults.bites("bank gets a request twice", this.#life))
      clockwork.after(chance.between(...LATER_MS), `${what} again`, () => this.#carryOut(), { life: world });
  }

  #carryOut(): BankAnswer {
    const { method, path, body } = this.#content;
    return this.#options.bank.answer(method, path, body?.toString(), new Date());
  }

  #arrive(): void {
    const answer = this.#options.faults.bites("bank fails before its work", this.#life) ? FAILURE : this.#carryOut();
    if (answer.comes === "never" || this.#options.faults.bites("answer of the bank lost", this.#life)) return;
    this.#answer(this.#spoil(answer));
  }

  /** What an answer may become after the work was done. */
  #spoil(answer: BankAnswer): BankAnswer {
    const { faults } = this.#options;
    const found = this.#content.method === "GET" && answer.status === 200;
    if (faults.bites("bank fails after its work", this.#life)) return FAILURE;
    if (found && faults.bites("bank does not find what it has", this.#life))
      return { ...answer, status: 404, body: '{"status":"not-found"}' };
    if (faults.bites("bank answers broken JSON", this.#life))
      return { ...answer, body: answer.body.slice(0, answer.body.length >> 1) };
    return answer;
  }

  #answer({ status, body, comes }: BankAnswer): void {
    const late = this.#options.faults.bites("answer of the bank late", this.#life);
    const range: readonly [number, number] = comes === "late" ? [LATE_MS, LATE_MS + 50] : late ? LATER_MS : TRAVEL_MS;
    this.#later(range, `bank answers ${status}`, () => {
      if (this.#over) return;
      this.#over = true;
      this.#handler.onResponseStart?.(this.#controller, status, {}, "");
      this.#handler.onResponseData?.(this.#controller, Buffer.from(body));
      this.#handler.onResponseEnd?.(this.#controller, {});
    });
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler.onResponseError?.(this.#controller, error);
  }

  #later(range: readonly [number, number], what: string, run: () => void): void {
    const { clockwork } = this.#options;
    clockwork.after(clockwork.chance.between(...range), what, run, { life: this.#life });
  }
}

/** Leads every HTTP request of an undici agent to the bank of this world. @returns what ends that. */
export function layBankWire(options: BankWireOptions): () => void {
  const { dispatch } = Agent.prototype;
  Agent.prototype.dispatch = (content, handler) => {
    new Request(options, content, handler).send();
    return true;
  };
  return () => {
    Agent.prototype.dispatch = dispatch;
  };
}
