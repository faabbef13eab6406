// For tests of one service: those it sends commands to, as far as they answer, by a script that a test
// can change; and those it asks by rpc.
import { create, type DescMessage, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { PaymentOutcome } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { AccountState, LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { MemberService, MemberState } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { consume, type Envelope, type MemoryBus, writeHeaders } from "@ferry/platform/events";
import { until } from "./until.ts";

/** "done", "silent" (no answer), "unknown" and "not-found" (of the bank), or the reason of a refusal, as "INSUFFICIENT_BALANCE:30" with what is missing. */
export type Said = string;
/** What each command is answered, one after another; the last again and again. Default "done". */
export type ScriptOf<Part extends string> = Partial<Record<Part, Said[]>>;
/** Each command with its reply, by a short name. */
export type Exchanges<Part extends string> = Record<Part, readonly [request: DescMessage, reply: DescMessage]>;

const TOPICS = ["ferry.ledger.commands.v1", "ferry.banking.commands.v1"];
const { DONE, REFUSED, UNKNOWN, NOT_FOUND } = PaymentOutcome;
const OUTCOMES: Record<string, PaymentOutcome> = { done: DONE, unknown: UNKNOWN, "not-found": NOT_FOUND };
const CODES: Record<string, string> = { unknown: "BANK_OUTCOME_UNKNOWN", "not-found": "BANK_REFERENCE_UNKNOWN" };

function replyOf(schema: DescMessage, said: Said): Message {
  const [reason = "", missing] = said.split(":");
  const code = CODES[reason] ?? reason;
  const failure = said === "done" ? undefined : { code, message: `because ${code}` };
  const outcome = schema.field.outcome === undefined ? {} : { outcome: OUTCOMES[said] ?? REFUSED };
  const short = missing === undefined ? {} : { missing: { currency: "EUR", minorUnits: BigInt(missing) } };
  return create(schema, { failure, ...outcome, ...short } as MessageInitShape<DescMessage>);
}

/** Ledger and banking, as far as they answer these commands. */
export async function startNeighbors<Part extends string>(bus: MemoryBus, exchanges: Exchanges<Part>) {
  const parts = Object.keys(exchanges) as Part[];
  const received: { part: Part; envelope: Envelope<Message> }[] = [];
  const counts = new Map<string, number>();
  let script: ScriptOf<Part> = {};

  async function answer(part: Part, { id, sagaId, sagaStep, replyTo, traceparent }: Envelope<Message>, said: Said) {
    const schema = exchanges[part][1];
    const facts = { id: `${id}:${said}`, sagaId, sagaStep, traceparent, source: "ferry/others", time: new Date() };
    const headers = writeHeaders({ ...facts, type: schema.typeName });
    await bus.publish([{ topic: replyTo!, key: sagaId!, value: toBinary(schema, replyOf(schema, said)), headers }]);
  }

  await bus.ensureTopics(TOPICS.map((name) => ({ name })));
  await consume(bus, {
    group: "others",
    topics: TOPICS,
    schemas: parts.map((part) => exchanges[part][0]),
    async handle(set) {
      for (const envelope of set) {
        const part = parts.find((each) => exchanges[each][0].typeName === envelope.type)!;
        received.push({ part, envelope });
        const key = `${part} ${envelope.sagaId}`;
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        const lines: Said[] = script[part] ?? ["done"];
        const said = lines[Math.min(count, lines.length) - 1]!;
        if (said !== "silent") await answer(part, envelope, said);
      }
    },
  });

  const of = (id: string) => received.filter(({ envelope }) => envelope.sagaId === id);
  return {
    /** From now on. */
    play(next: ScriptOf<Part>) {
      script = next;
      counts.clear();
    },
    /** The commands of a saga, in order. */
    commandsFor: (id: string) => of(id).map(({ part }) => part),
    envelopesFor: (id: string) => of(id).map(({ envelope }) => envelope),
    /** Waits for a command and answers it by hand. */
    async answer(id: string, part: Part, said: Said) {
      const found = await until(`${part} of ${id}`, () => of(id).find((each) => each.part === part));
      await answer(part, found.envelope, said);
    },
    received: (id: string, part: Part) => until(`${part} of ${id}`, () => of(id).find((each) => each.part === part)),
  };
}

/** What member and ledger say to those who ask by rpc. */
export function createDirectory() {
  const suspended = new Set<string>();
  const accounts = new Map<string, { ownerId: string; currency: string; state: AccountState }>();
  const stateOf = (id: string) => (suspended.has(id) ? MemberState.SUSPENDED : MemberState.ACTIVE);
  const transport = createRouterTransport(({ service }) => {
    service(MemberService, {
      batchGetMemberStates: ({ memberIds }) => ({
        states: Object.fromEntries(memberIds.map((id) => [id, stateOf(id)])),
      }),
    });
    service(LedgerService, {
      batchGetAccountFacts: ({ accountIds }) => ({
        accounts: Object.fromEntries(accountIds.flatMap((id) => (accounts.has(id) ? [[id, accounts.get(id)!]] : []))),
      }),
    });
  });
  return {
    suspended,
    members: createClient(MemberService, transport),
    ledger: createClient(LedgerService, transport),
    openAccount(ownerId: string, { currency = "EUR", closed = false } = {}): string {
      const id = newUuid();
      accounts.set(id, { ownerId, currency, state: closed ? AccountState.CLOSED : AccountState.OPEN });
      return id;
    },
  };
}
