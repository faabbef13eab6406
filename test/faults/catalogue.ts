/** A fault that Ferry survives, and the tests that show it: outermost tests, by file and name. */
export interface Fault {
  id: string;
  what: string;
  tests: { file: string; name: RegExp }[];
  /** Its tests take seconds: it is part of the short form. */
  short?: boolean;
}

const of = (file: string, name: RegExp) => ({ file, name });
const own = (file: string, id: string) => of(`test/faults/${file}`, new RegExp(`^${id} `));

const KNOWN = "known-defects.int.test.ts";
const BUS = "platform/events/kafka-bus.int.test.ts";
const RPC = "platform/rpc/connection.int.test.ts";
const OUTBOX = "platform/outbox/outbox.int.test.ts";

/** The faults, by number. F1 is the crash-point matrix, and what follows the numbers are defects that others have had. */
export const FAULTS: readonly Fault[] = [
  {
    id: "F1",
    what: "kill -9 of each process, and of everything at once (the points one by one: see the matrix)",
    tests: [of("test/faults/kill.flow.test.ts", /^kill -9/)],
  },
  { id: "F2", what: "kill -9 of any process at any moment", tests: [own("processes.flow.test.ts", "F2")] },
  { id: "F3", what: "transfer dies while it takes back, twice", tests: [own("processes.flow.test.ts", "F3")] },
  {
    id: "F4",
    what: "the broker is away",
    tests: [own("processes.flow.test.ts", "F4"), of(OUTBOX, /^while the broker is away/)],
  },
  { id: "F6", what: "rebalances again and again", tests: [own("groups.int.test.ts", "F6")] },
  {
    id: "F7",
    what: "a handler that is slower than the session",
    tests: [own("groups.int.test.ts", "F7"), of(BUS, /^a handler that takes longer than the session/)],
  },
  { id: "F8", what: "every message again", tests: [own("duplicates.int.test.ts", "F8")], short: true },
  { id: "F9", what: "out of order, late, for nobody", tests: [own("duplicates.int.test.ts", "F9")], short: true },
  { id: "F10", what: "poison", tests: [own("poison.int.test.ts", "F10")], short: true },
  { id: "F11", what: "a group without offsets", tests: [own("groups.int.test.ts", "F11")] },
  { id: "F12", what: "PostgreSQL restarts at once", tests: [own("processes.flow.test.ts", "F12")] },
  {
    id: "F13",
    what: "COMMIT is done and its answer is lost",
    tests: [own("lost-commit.int.test.ts", "F13"), of(OUTBOX, /^a commit whose answer was lost/)],
    short: true,
  },
  { id: "F15", what: "more callers than connections", tests: [own("crowded.int.test.ts", "F15")], short: true },
  { id: "F17", what: "write skew", tests: [own("crowded.int.test.ts", "F17")], short: true },
  { id: "F18", what: "gaps in the outbox", tests: [own("outbox-order.int.test.ts", "F18")], short: true },
  { id: "F19", what: "a slow dependency", tests: [own("network.int.test.ts", "F19")] },
  {
    id: "F20",
    what: "no way between two services, in one direction or both",
    tests: [own("network.int.test.ts", "F20"), own("processes.flow.test.ts", "F20")],
  },
  {
    id: "F21",
    what: "a peer that is frozen with its connections open",
    tests: [
      own("processes.flow.test.ts", "F21"),
      of(RPC, /^a peer that accepts and says nothing/),
      of(RPC, /^a peer that takes calls and never answers/),
      of(RPC, /^a connection that falls silent/),
    ],
  },
  { id: "F23", what: "a server that sends its callers away", tests: [own("network.int.test.ts", "F23")] },
  { id: "F25", what: "a disk that is full", tests: [own("disk-full.int.test.ts", "F25")] },
  {
    id: "F27",
    what: "replicas restart in turn",
    tests: [
      own("network.int.test.ts", "F27"),
      own("rolling.flow.test.ts", "F27"),
      of("platform/rpc/replicas.int.test.ts", /^a replica that is back/),
    ],
  },
  { id: "F28", what: "started in any order", tests: [own("any-order.flow.test.ts", "F28")] },
  { id: "F30", what: "three times the load", tests: [own("overload.long.ts", "F30")] },
  { id: "F32", what: "producers of another version", tests: [own("poison.int.test.ts", "F32")], short: true },
  {
    id: "F33",
    what: "what a bank can do",
    tests: [own("unknown-outcome.int.test.ts", "F33"), of("local/bank/table.int.test.ts", /^9\d\d\d/)],
  },
  ...[
    ["in-flight debits overspend", /^in-flight debits/],
    ["a negative balance by check and then act", /^a negative balance/],
    ["duplicate ids under concurrency", /^duplicate ids/],
    ["a double payment by retry", /^a double payment/],
    ["a time-out that does not give back a position", /^a time-out/],
    ["an outbox row deleted while Kafka is away", /^an outbox row/],
    ["per-key order broken by SKIP LOCKED", /^per-key order/],
  ].map(([what, name]) => ({
    ...{ id: "known", what: what as string, short: true },
    tests: [of(`test/faults/${KNOWN}`, name as RegExp)],
  })),
  {
    id: "known",
    what: "a pivot undone while its command is still on its way",
    tests: [of("test/faults/undone-pivot.int.test.ts", /^a pivot undone/)],
    short: true,
  },
];
