// An rpc that is added to a contract is all there after `npm run generate` and its handler: in a copy of the rooms
// concerned one is added, and nothing else is touched.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import type { AuthorityState } from "@ferry/platform/auth";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const ROOMS = ["proto", "third_party", "gen", "client", "platform", "edge", "scripts"];
const FILES = ["package.json", "tsconfig.json", "buf.yaml", "buf.gen.yaml"];

const RPC = `
  // Tells the caller's oldest account in a currency. Errors: NOT_FOUND.
  rpc GetOldestAccount(GetOldestAccountRequest) returns (GetOldestAccountResponse) {
    option (google.api.http) = {get: "/v1/oldest-accounts/{currency}"};
    option (ferry.options.v1.method) = {
      auth: AUTH_MEMBER
      scopes: "accounts:read"
      deadline_ms: 20000
      idempotency_key: IDEMPOTENCY_KEY_NONE
      retry: RETRY_SAFE
      rate_class: RATE_CLASS_READ
    };
  }
`;
const MESSAGES = `
message GetOldestAccountRequest {
  // ISO 4217 code, as "EUR".
  string currency = 1 [(buf.validate.field).string.pattern = "^[A-Z]{3}$"];
  // Opened before.
  google.protobuf.Timestamp before = 2;
}

message GetOldestAccountResponse {
  Account account = 1;
}
`;
/** What somebody writes with the client: compiles against the new rpc's types, and only against these. */
const CALLER = `import { createFerryClient } from "@ferry/client";
const ferry = createFerryClient({ baseUrl: "http://127.0.0.1" });
export async function currencyOf(): Promise<string> {
  const { account } = await ferry.ledger.getOldestAccount({ currency: "EUR", before: new Date() });
  return account.currency;
}
`;
const READS_PER_MINUTE = 20;

let folder = "";
let edge: Awaited<ReturnType<typeof startEdge>>;

function run(program: string, ...args: string[]): { status: number | null; output: string } {
  const bin = join(REPOSITORY, "node_modules", ".bin");
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, env, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

/** Copies the rooms, with packages that lead to the copies. */
function copyRooms(): void {
  const isWanted = (path: string) => !/[\\/](node_modules|dist)$/.test(path);
  for (const room of ROOMS) cpSync(join(REPOSITORY, room), join(folder, room), { recursive: true, filter: isWanted });
  for (const file of FILES) cpSync(join(REPOSITORY, file), join(folder, file));
  const installed = join(REPOSITORY, "node_modules");
  mkdirSync(join(folder, "node_modules", "@ferry"), { recursive: true });
  for (const name of readdirSync(installed))
    if (name !== "@ferry") symlinkSync(join(installed, name), join(folder, "node_modules", name));
  for (const room of ["gen", "client", "platform", "edge"])
    symlinkSync(join(folder, room), join(folder, "node_modules", "@ferry", room));
}

function addToContract(): void {
  const path = join(folder, "proto/ferry/ledger/v1/ledger.proto");
  const contract = readFileSync(path, "utf8");
  const changed = contract.replace(/^service LedgerService \{\n/m, (line) => `${line}${RPC}`) + MESSAGES;
  assert.ok(changed.includes(RPC));
  writeFileSync(path, changed);
}

/** The edge of the copy, before a gRPC server of the copy that has the handler. */
async function startEdge() {
  const load = (path: string) => import(join(folder, path));
  const { createHarness } = (await load("edge/testing/harness.ts")) as typeof import("../../edge/testing/harness.ts");
  const { transportBackend } = (await load("edge/backends.ts")) as typeof import("../../edge/backends.ts");
  const auth = (await load("platform/auth/index.ts")) as typeof import("@ferry/platform/auth");
  const rpc = (await load("platform/rpc/index.ts")) as typeof import("@ferry/platform/rpc");
  const telemetry = (await load("platform/telemetry/index.ts")) as typeof import("@ferry/platform/telemetry");
  const { LedgerService } = (await load(
    "gen/ferry/ledger/v1/ledger_pb.ts",
  )) as typeof import("@ferry/gen/ferry/ledger/v1/ledger_pb.ts");
  const { FerryError } = (await load("platform/errors/index.ts")) as typeof import("@ferry/platform/errors");
  const { silentLogger: logger } = telemetry;

  const getOldestAccount = ({ currency }: { currency: string }, context: HandlerContext) => {
    if (currency === "JPY") throw new FerryError("NOT_FOUND", "no account in this currency");
    return { account: { id: rpc.memberIdOf(context), currency } };
  };
  const stops: (() => void | Promise<void>)[] = [];
  const backendsOf = async (authority: AuthorityState) => {
    const server = rpc.createRpcServer({
      service: "ledger",
      port: 0,
      authenticator: auth.createAuthenticator({ audience: "ledger", authority, trustedServices: new Map() }),
      logger,
      build: { service: "ledger", version: "1.0.0", commit: "c", buildTime: "t" },
      routes: (router: ConnectRouter) => router.service(LedgerService, { getOldestAccount } as object),
    });
    await server.start();
    const channel = rpc.openChannel({ url: `http://127.0.0.1:${server.port}`, audience: "ledger", logger });
    stops.push(
      () => channel.close(),
      () => server.stop(),
    );
    return ["member", "ledger", "banking", "transfer", "payment", "notify"].map((name) =>
      transportBackend(name, channel.transport),
    );
  };
  const harness = await createHarness({ backendsOf, limits: { rateRead: READS_PER_MINUTE } });
  for (const component of harness.components) await component.start?.();
  stops.unshift(async () => {
    for (const component of harness.components) await component.stop?.();
  });
  return { ...harness, stop: async () => Promise.all(stops.map((stop) => stop())) };
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "ferry-new-rpc-"));
  copyRooms();
  addToContract();
  const generated = run("node", "scripts/generate.ts");
  assert.equal(generated.status, 0, generated.output);
  edge = await startEdge();
});
after(async () => {
  await edge?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const MEMBER = "0190b2c4-0000-7000-8000-0000000000a1";

test("REST answers it, by the contract's path and rules, in the envelope", async () => {
  const headers = { authorization: edge.bearer("member", MEMBER) };
  const answer = await edge.app.inject({ url: "/v1/oldest-accounts/EUR", headers });
  assert.equal(answer.statusCode, 200, answer.body);
  assert.deepEqual([answer.json().data.account.id, answer.json().data.account.currency], [MEMBER, "EUR"]);
  assert.ok(answer.headers.etag);
  const broken = await edge.app.inject({ url: "/v1/oldest-accounts/euros", headers });
  assert.equal(broken.statusCode, 400);
  assert.equal(broken.json().error.details[0].field, "currency");
  assert.equal((await edge.app.inject({ url: "/v1/oldest-accounts/JPY", headers })).json().error.code, "NOT_FOUND");
  assert.equal((await edge.app.inject({ method: "POST", url: "/v1/oldest-accounts/EUR", headers })).statusCode, 405);
});

test("nobody gets in without a token, nor without its scope, nor more often than its class allows", async () => {
  const url = "/v1/oldest-accounts/EUR";
  assert.equal((await edge.app.inject(url)).statusCode, 401);
  const withoutScope = await edge.app.inject({ url, headers: { authorization: edge.machine(["transfers:read"]) } });
  assert.deepEqual([withoutScope.statusCode, withoutScope.json().error.code], [403, "SCOPE_MISSING"]);
  const headers = { authorization: edge.bearer("member", "0190b2c4-0000-7000-8000-0000000000a2") };
  const statuses: number[] = [];
  for (let call = 0; call <= READS_PER_MINUTE; call++)
    statuses.push((await edge.app.inject({ url, headers })).statusCode);
  assert.deepEqual(statuses, [...Array(READS_PER_MINUTE).fill(200), 429]);
});

test("the OpenAPI document describes it, and the page to try calls on shows that document", async () => {
  const { paths } = (await edge.app.inject("/openapi.json")).json();
  const operation = paths["/v1/oldest-accounts/{currency}"]?.get;
  assert.match(`${operation?.summary} ${operation?.description}`, /Tells the caller's oldest account in a currency/);
  assert.equal(
    operation.parameters.find(({ name }: { name: string }) => name === "currency").schema.pattern,
    "^[A-Z]{3}$",
  );
  assert.ok(["200", "400", "401", "403", "404", "429"].every((status) => status in operation.responses));
  const page = await edge.app.inject("/docs");
  assert.match(String(page.headers["content-type"]), /^text\/html/);
  const script = await edge.app.inject("/docs/page.js");
  assert.ok(page.body.includes("/docs/page.js") && script.body.includes('"/openapi.json"'));
});

test("the typed client has it: its types compile, and it calls", async () => {
  writeFileSync(join(folder, "caller.ts"), CALLER);
  writeFileSync(join(folder, "tsconfig.caller.json"), '{ "extends": "./tsconfig.json", "include": ["caller.ts"] }');
  assert.deepEqual(run("tsc", "-p", "tsconfig.caller.json"), { status: 0, output: "" });
  writeFileSync(join(folder, "caller.ts"), CALLER.replace('"EUR"', "5"));
  assert.match(
    run("tsc", "-p", "tsconfig.caller.json").output,
    /caller\.ts.*'number' is not assignable to type 'string'/,
  );

  const { createFerryClient } = (await import(join(folder, "client/index.ts"))) as typeof import("@ferry/client");
  const accessToken = () => edge.bearer("member", "0190b2c4-0000-7000-8000-0000000000a3").replace("Bearer ", "");
  const ferry = createFerryClient({ baseUrl: `http://127.0.0.1:${edge.port()}`, tokens: { accessToken } });
  type Calls = Record<string, (request: object) => Promise<{ account: { currency: string } }>>;
  const { account } = await (ferry.ledger as unknown as Calls).getOldestAccount!({ currency: "SEK" });
  assert.equal(account.currency, "SEK");
});
