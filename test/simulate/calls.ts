import type { DescService } from "@bufbuild/protobuf";
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type Client,
  type ConnectRouter,
  createClient,
  createContextValues,
  createHandlerContext,
  type HandlerContext,
  type Transport,
} from "@connectrpc/connect";
import { FerryError } from "@ferry/platform/errors";
import type { Component } from "@ferry/platform/lifecycle";
import { type CallFacts, callFacts, getPolicy, toFerryError } from "@ferry/platform/rpc";
import { runInContext } from "@ferry/platform/telemetry";
import type { Clockwork, Life } from "./clockwork.ts";
import type { Faults } from "./faults.ts";

const TRAVEL_MS: readonly [number, number] = [0.2, 4];
const DEFAULT_DEADLINE_MS = 5_000;

type Handler = (request: Message, context: HandlerContext) => Promise<Message> | Message;

/** Takes down the rpcs of a service instead of serving them. */
function handlersOf(routes: (router: ConnectRouter) => void): Map<string, Handler> {
  const handlers = new Map<string, Handler>();
  const router = {
    service(service: DescService, implementation: Record<string, Handler>) {
      for (const { localName, parent, name } of service.methods) {
        const handler = implementation[localName];
        if (handler !== undefined) handlers.set(`${parent.typeName}/${name}`, handler.bind(implementation));
      }
      return router;
    },
  };
  routes(router as unknown as ConnectRouter);
  return handlers;
}

/** Whom a call speaks for, and what goes with it. */
export interface Caller {
  kind: "member" | "operator" | "service";
  id: string;
  idempotencyKey?: string;
  waitMs?: number;
}

interface Instance {
  life: Life;
  handlers: Map<string, Handler>;
  /** Calls whose handler has not ended. */
  underWay: number;
  closing: PromiseWithResolvers<void> | undefined;
}

/** The network between callers and services. A call, and its answer, can be lost on the way. */
export class Calls {
  readonly #clockwork: Clockwork;
  readonly #faults: Faults;
  readonly #instances = new Map<string, Instance[]>();

  constructor(clockwork: Clockwork, faults: Faults) {
    this.#clockwork = clockwork;
    this.#faults = faults;
  }

  /** From now on an instance answers calls, as long as its life lasts. */
  serve(service: string, life: Life, routes: (router: ConnectRouter) => void): void {
    const instances = (this.#instances.get(service) ?? []).filter((each) => each.life.alive);
    this.#instances.set(service, [
      ...instances,
      { life, handlers: handlersOf(routes), underWay: 0, closing: undefined },
    ]);
  }

  /** What stops an instance in order: no new calls, and those under way end. */
  component(life: Life): Component {
    return {
      name: "rpc",
      stop: async () => {
        for (const instance of [...this.#instances.values()].flat().filter((each) => each.life === life)) {
          instance.closing = Promise.withResolvers();
          if (instance.underWay > 0) await instance.closing.promise;
        }
      },
    };
  }

  #open(target: string): Instance[] {
    return (this.#instances.get(target) ?? []).filter(({ life, closing }) => life.alive && closing === undefined);
  }

  /** A client for whoever is at hand. */
  client<S extends DescService>(service: S, target: string, caller: Caller): Client<S> {
    const transport = {
      unary: async (
        method: DescMethodUnary,
        _signal: unknown,
        _timeoutMs: unknown,
        _header: unknown,
        input: MessageInitShape<DescMessage>,
      ) => ({
        stream: false as const,
        ...{ service: method.parent, method, header: new Headers(), trailer: new Headers() },
        message: await this.#call(target, method, create(method.input, input), caller),
      }),
      stream: () => Promise.reject(new FerryError("UNIMPLEMENTED", "streams are not simulated")),
    };
    return createClient(service, transport as unknown as Transport);
  }

  #call(target: string, method: DescMethodUnary, request: Message, caller: Caller): Promise<Message> {
    const [clockwork, faults] = [this.#clockwork, this.#faults];
    const { life } = clockwork;
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const bytes = toBinary(method.input, request);
    const deadlineMs = (getPolicy(method).deadlineMs || DEFAULT_DEADLINE_MS) + (caller.waitMs ?? 0);
    const deadline = clockwork.after(deadlineMs, `deadline of ${method.name}`, () =>
      reject(new FerryError("DEADLINE_EXCEEDED", "the time for the call is over")),
    );
    const travelMs = () => clockwork.chance.between(...TRAVEL_MS);
    const answer = (what: string, run: () => void) =>
      clockwork.after(
        travelMs(),
        `${what} of ${method.name}`,
        () => {
          deadline.canceled = true;
          run();
        },
        { life },
      );
    if (faults.bites("call lost", life)) return promise;
    const arrive = () => {
      const instances = this.#open(target);
      if (instances.length === 0) {
        answer("refusal", () => reject(new FerryError("UNAVAILABLE", `${target} cannot be reached`)));
        return;
      }
      const instance = clockwork.chance.pick(instances);
      clockwork.within(instance.life, () =>
        this.#carryOut(instance, method, bytes, caller).then(
          (reply) => {
            if (faults.bites("answer of a call lost", instance.life)) return;
            answer("answer", () => resolve(fromBinary(method.output, reply)));
          },
          (error) => void answer("failure", () => reject(toFerryError(error))),
        ),
      );
    };
    clockwork.after(travelMs(), `call ${method.name}`, arrive, { life: clockwork.world });
    return promise;
  }

  async #carryOut(instance: Instance, method: DescMethodUnary, bytes: Uint8Array, caller: Caller): Promise<Uint8Array> {
    const handler = instance.handlers.get(`${method.parent.typeName}/${method.name}`);
    if (handler === undefined) throw new FerryError("UNIMPLEMENTED", `there is no rpc ${method.name}`);
    const { kind, id, idempotencyKey, waitMs = 0 } = caller;
    const principal = { kind, id, scopes: new Set<string>(), expiresAt: Number.MAX_SAFE_INTEGER };
    const facts: CallFacts = { principal, idempotencyKey, waitMs };
    const context = createHandlerContext({
      ...{ service: method.parent, method, protocolName: "grpc", requestMethod: "POST" },
      url: `http://simulated/${method.parent.typeName}/${method.name}`,
      contextValues: createContextValues().set(callFacts, facts),
    });
    instance.underWay++;
    try {
      const reply = await runInContext({}, async () => handler(fromBinary(method.input, bytes), context));
      return toBinary(method.output, create(method.output, reply as MessageInitShape<DescMessage>));
    } finally {
      instance.underWay--;
      if (instance.underWay === 0) instance.closing?.resolve();
    }
  }
}
