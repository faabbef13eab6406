import assert from "node:assert/strict";
import { test } from "node:test";
import type { DescService } from "@bufbuild/protobuf";
import type { Backend } from "../backends.ts";
import { COMPOSED, exposedServices } from "../backends.ts";
import { compileEdgeRoutes } from "../routes.ts";
import { type HomeChange, homeWith } from "./testing/home-with.ts";

const backend = (name: string): Backend => ({
  name,
  unready: () => undefined,
  unary: () => assert.fail("no call is made at start"),
  stream: () => assert.fail("no call is made at start"),
});
const backends = new Map(
  ["member", "ledger", "banking", "transfer", "payment", "notify"].map((name) => [name, backend(name)]),
);

function compile(service: DescService): void {
  const others = exposedServices.filter((exposed) => exposed.backend !== COMPOSED);
  compileEdgeRoutes(backends, [...others, { service, backend: COMPOSED }]);
}

test("the contract as it is can be composed", () => {
  compile(homeWith(() => {}));
});

const broken: [what: string, change: HomeChange, problem: RegExp][] = [
  [
    "an rpc that does not exist",
    (_, part) => (part("accounts").rpc = "ferry.ledger.v1.LedgerService.Nothing"),
    /home\.proto: rpc ferry\.home\.v1\.HomeService\.GetHome: accounts: there is no rpc "ferry.ledger.v1.LedgerService.Nothing"/,
  ],
  [
    "an rpc of another type",
    (_, part) => (part("accounts").rpc = "ferry.transfer.v1.TransferService.ListTransfers"),
    /accounts: is a ferry.ledger.v1.ListAccountsResponse, but its rpc answers ferry.transfer.v1.ListTransfersResponse/,
  ],
  [
    "a field of another type",
    (_, part) => (part("accounts").field = "accounts"),
    /accounts: its field "accounts" is no ferry.ledger.v1.ListAccountsResponse/,
  ],
  [
    "an rpc between services",
    (_, part) => (part("accounts").rpc = "ferry.ledger.v1.LedgerService.BatchGetAccountFacts"),
    /accounts: .* is for auth service, and the whole for member/,
  ],
  [
    "an rpc for operators",
    (_, part) => (part("accounts").rpc = "ferry.saga.v1.ParkedSagaService.ListParkedSagas"),
    /accounts: .* is for auth operator, and the whole for member/,
  ],
  [
    "a scope that the whole does not ask for",
    ({ service }) => (service[0]!.method[0]!.options["[ferry.options.v1.method]"].scopes = ["members:read"]),
    /accounts: .* asks for the scope accounts:read/,
  ],
  [
    "a call with an effect",
    ({ service }, part) => {
      service[0]!.method[0]!.options["[ferry.options.v1.method]"].scopes = ["accounts:write"];
      part("accounts").rpc = "ferry.ledger.v1.LedgerService.OpenAccount";
    },
    /accounts: .*OpenAccount is not a read/,
  ],
  ["a stream", (_, part) => (part("accounts").rpc = "ferry.transfer.v1.TransferService.WatchTransfer"), /no unary rpc/],
  ["a part with as much time as the whole", (_, part) => (part("accounts").deadlineMs = 2_500), /must be 1 to 2400/],
  [
    "an argument that does not exist",
    (_, part) => (part("accounts").arguments = [{ field: "pages", value: "1" }]),
    /accounts: its argument "pages" is no field of ferry.ledger.v1.ListAccountsRequest/,
  ],
  [
    "an argument that does not fit",
    (_, part) => (part("accounts").arguments = [{ field: "page_size", value: "many" }]),
    /accounts: pageSize: /,
  ],
  [
    "an argument that breaks a field rule",
    (_, part) => (part("accounts").arguments = [{ field: "page_size", value: "1000" }]),
    /accounts: pageSize: /,
  ],
  [
    "an argument from a field that is not there",
    (_, part) => (part("accounts").arguments = [{ field: "page_size", from: "size" }]),
    /accounts: its argument "page_size" cannot come from "size"/,
  ],
  [
    "an answer that cannot say what it lacks",
    ({ messageType }) => messageType[1]!.field.pop(),
    /has no field `repeated ferry.types.v1.MissingPart missing`/,
  ],
  [
    "a field that nothing fills",
    ({ messageType }) => delete (messageType[1]!.field[0] as { options?: object }).options,
    /member: nothing fills it/,
  ],
];

for (const [what, change, problem] of broken)
  test(`a contract that cannot be composed does not start: ${what}`, () => {
    assert.throws(() => compile(homeWith(change)), problem);
  });

test("all problems are told at once", () => {
  const service = homeWith((_, part) => {
    part("accounts").rpc = "x";
    part("payments").deadlineMs = 0;
  });
  assert.throws(() => compile(service), /accounts: .*; payments: /);
});
