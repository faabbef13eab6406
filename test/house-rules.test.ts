// The rules of the house that a machine can hold: the import table, sole importers, lengths, banned
// calls, leftovers. Each rule is shown to notice a case that breaks it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkBans, checkFileLength, checkFunctionLength, checkLeftovers } from "./house-rules/code.ts";
import { checkImports } from "./house-rules/imports.ts";
import { readSources, type Source, type Violation } from "./house-rules/source.ts";

type Rule = (source: Source) => Violation[];

const sources = readSources();
const rules: Record<string, Rule> = { checkImports, checkFileLength, checkFunctionLength, checkBans, checkLeftovers };

test("the house has sources to check", () => {
  assert.ok(sources.length > 100, `${sources.length} files`);
});

for (const [name, rule] of Object.entries(rules))
  test(`${name} holds for every file`, () => {
    const found = sources.filter(({ path }) => !path.startsWith("test/house-rules")).flatMap(rule);
    assert.deepEqual(
      found.map(({ path, line, message }) => `${path}:${line} ${message}`),
      [],
    );
  });

const source = (path: string, text: string): Source => ({ path, text });
const lines = (count: number, indent = "  ") =>
  Array.from({ length: count }, (_, index) => `${indent}step(${index});`).join("\n");

const breaking: [what: string, rule: Rule, source: Source, message: RegExp][] = [
  [
    "a service imports another service",
    checkImports,
    source("services/ledger/clients/x.ts", 'import { a } from "@ferry/transfer";'),
    /may not import/,
  ],
  [
    "a domain imports npm",
    checkImports,
    source("services/ledger/domain/x.ts", 'import { z } from "zod";'),
    /may not import/,
  ],
  [
    "a domain imports generated code",
    checkImports,
    source("services/ledger/domain/x.ts", 'import { Money } from "@ferry/gen/ferry/types/v1/types_pb.ts";'),
    /may not import/,
  ],
  [
    "an app imports its store",
    checkImports,
    source("services/ledger/app/x.ts", 'import { s } from "../store/s.ts";'),
    /may not import/,
  ],
  [
    "an app imports the engine",
    checkImports,
    source("services/ledger/app/x.ts", 'import { o } from "@ferry/platform/rpc";'),
    /may not import/,
  ],
  [
    "the platform imports a service",
    checkImports,
    source("platform/saga/x.ts", 'import { s } from "@ferry/ledger";'),
    /may not import/,
  ],
  [
    "the edge imports a service",
    checkImports,
    source("edge/x.ts", 'import { s } from "../services/ledger/service.ts";'),
    /may not import/,
  ],
  [
    "something imports the tests",
    checkImports,
    source("services/ledger/rpc/x.ts", 'import { s } from "../../../test/support/postgres.ts";'),
    /may not import/,
  ],
  [
    "a second importer of kafkajs",
    checkImports,
    source("platform/outbox/x.ts", 'import { Kafka } from "kafkajs";'),
    /imported only in/,
  ],
  [
    "a second importer of pg",
    checkImports,
    source("services/ledger/store/x.ts", 'import pg from "pg";'),
    /imported only in/,
  ],
  [
    "a second importer of prom-client",
    checkImports,
    source("platform/rpc/x.ts", 'import { Counter } from "prom-client";'),
    /imported only in/,
  ],
  ["a long file", checkFileLength, source("edge/x.ts", lines(301)), /301 lines/],
  [
    "a long function",
    checkFunctionLength,
    source("edge/x.ts", `function f() {\n${lines(75)}\n}`),
    /a function of 77 lines/,
  ],
  [
    "a long method",
    checkFunctionLength,
    source("edge/x.ts", `class A {\n  async m(a: string): Promise<void> {\n${lines(75, "    ")}\n  }\n}`),
    /77 lines/,
  ],
  [
    "a long closure in a factory",
    checkFunctionLength,
    source("edge/x.ts", `function f() {\n  const g = () => {\n${lines(75, "    ")}\n  };\n  return g;\n}`),
    /77 lines/,
  ],
  [
    "the environment outside of config.ts",
    checkBans,
    source("services/ledger/rpc/x.ts", "const a = process.env.X;"),
    /config\.ts/,
  ],
  ["a clock in a domain", checkBans, source("services/ledger/domain/x.ts", "const now = Date.now();"), /as arguments/],
  ["printing", checkBans, source("services/ledger/rpc/x.ts", 'console.log("x");'), /Logger/],
  [
    "SQL outside of a store",
    checkBans,
    source("services/ledger/app/x.ts", "const q = `SELECT 1 FROM account`;"),
    /store/,
  ],
  [
    "a sleep in a test",
    checkBans,
    source("services/ledger/rpc/x.test.ts", "await new Promise((r) => setTimeout(r, 500));"),
    /condition/,
  ],
  ["a skipped test", checkBans, source("edge/x.test.ts", 'test.skip("x", () => {});'), /mend/],
  ["an untyped value", checkBans, source("edge/x.ts", "const a = b as any;"), /type/],
  ["a leftover", checkLeftovers, source("edge/x.ts", `// ${"FIX"}ME later`), /do it/],
  ["a path of one machine", checkLeftovers, source("edge/x.ts", `const a = "/${"home"}/me/x";`), /machine/],
];

for (const [what, rule, broken, message] of breaking)
  test(`the rules notice: ${what}`, () => {
    const found = rule(broken);
    assert.equal(found.length, 1, JSON.stringify(found));
    assert.match(found[0]!.message, message);
  });

test("a factory is as long as what it does itself, and a reason excuses a long file", () => {
  const parts = Array.from({ length: 5 }, (_, index) => `  function part${index}() {\n${lines(20, "    ")}\n  }`).join(
    "\n",
  );
  assert.deepEqual(checkFunctionLength(source("edge/x.ts", `function make() {\n${parts}\n}`)), []);
  assert.deepEqual(checkFileLength(source("edge/x.ts", `// Over 300 lines because it is a table.\n${lines(400)}`)), []);
});
