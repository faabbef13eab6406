import assert from "node:assert/strict";
import { test } from "node:test";
import { clone, createFileRegistry, type DescFile, getExtension, setExtension } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { method as policyOption } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { file_ferry_two_phase_v1_two_phase } from "@ferry/gen/ferry/two_phase/v1/two_phase_pb.ts";
import { file_ferry_types_v1_types } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { compileDeprecation } from "./deprecation.ts";
import { createHarness } from "./testing/harness.ts";
import type { Route } from "./transcoding/index.ts";

interface Change {
  deprecated?: boolean;
  deprecation?: { since?: string; sunset?: string; link?: string };
}

/** The service of transactions in doubt, whose first rpc is deprecated as a test says. */
function serviceWith({ deprecated = true, deprecation }: Change) {
  const proto = clone(FileDescriptorProtoSchema, file_ferry_two_phase_v1_two_phase.proto);
  const options = proto.service[0]!.method[0]!.options!;
  options.deprecated = deprecated;
  const told = { $typeName: "ferry.options.v1.Deprecation", since: "", sunset: "", link: "", ...deprecation } as const;
  const policy = getExtension(options, policyOption);
  setExtension(options, policyOption, { ...policy, deprecation: deprecation && told });
  const known = new Map<string, DescFile>();
  const learn = (file: DescFile): void => {
    known.set(file.proto.name, file);
    file.dependencies.forEach(learn);
  };
  learn(file_ferry_two_phase_v1_two_phase);
  learn(file_ferry_types_v1_types);
  const registry = createFileRegistry(proto, (name) => (name === proto.name ? undefined : known.get(name)));
  return registry.getService("ferry.two_phase.v1.InDoubtTransactionService")!;
}

const rpcWith = (change: Change) => serviceWith(change).methods[0] as Route["rpc"];

test("callers of a deprecated rpc are told since when, until when and what instead", () => {
  const deprecation = { since: "2026-01-31", sunset: "2026-12-31", link: "/docs/new" };
  const { headers, inWords } = compileDeprecation(rpcWith({ deprecation }))!;
  assert.deepEqual(headers, {
    deprecation: "@1769817600",
    sunset: "Thu, 31 Dec 2026 00:00:00 GMT",
    link: '</docs/new>; rel="deprecation"',
  });
  assert.equal(inWords, "Deprecated since 2026-01-31, gone from 2026-12-31 on: see /docs/new.");
  const open = compileDeprecation(rpcWith({ deprecation: { since: "2026-01-31" } }))!;
  assert.deepEqual(open.headers, { deprecation: "@1769817600" });
  assert.equal(compileDeprecation(rpcWith({ deprecated: false })), undefined);
});

test("what is said by halves stops the start", () => {
  const refused: [Change, RegExp][] = [
    [{ deprecated: true }, /go together/],
    [{ deprecated: false, deprecation: { since: "2026-01-31" } }, /go together/],
    [{ deprecation: { since: "" } }, /deprecation\.since/],
    [{ deprecation: { since: "2026-02-30" } }, /deprecation\.since "2026-02-30" is no day/],
    [{ deprecation: { since: "2026-01-31T00:00:00Z" } }, /is no day/],
    [{ deprecation: { since: "2026-01-31", sunset: "soon" } }, /deprecation\.sunset/],
    [{ deprecation: { since: "2026-01-31", sunset: "2026-01-30" } }, /ends before it begins/],
    [{ deprecation: { since: "2026-01-31", link: 'x>; rel="next"' } }, /no URL/],
  ];
  for (const [change, message] of refused) assert.throws(() => compileDeprecation(rpcWith(change)), message);
});

test("the document marks the operation, and its answers say so, failures too", async () => {
  const service = serviceWith({ deprecation: { since: "2026-01-31" } });
  const { app, bearer } = await createHarness({ services: [{ service, backend: "ledger" }] });
  const { paths } = (await app.inject("/openapi.json")).json();
  const operation = paths["/v1/in-doubt-transactions"].get;
  assert.equal(operation.deprecated, true);
  assert.match(operation.description, /Deprecated since 2026-01-31\./);
  assert.ok(operation.responses["200"].headers.Deprecation);
  assert.equal(paths["/v1/in-doubt-transactions/{transaction_id}:commit"].post.deprecated, undefined);
  for (const headers of [{ authorization: bearer("operator") }, {}]) {
    const answer = await app.inject({ url: "/v1/in-doubt-transactions", headers });
    assert.equal(answer.statusCode, "authorization" in headers ? 200 : 401, answer.body);
    assert.equal(answer.headers.deprecation, "@1769817600");
  }
});
