import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import * as door from "./index.ts";

const FOLDER = import.meta.dirname;

test("the library stands on protobuf-es, google/api and itself alone", () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  assert.ok(files.length > 10, `${files.length} files`);
  const foreign = files.flatMap((name) => {
    const text = readFileSync(`${FOLDER}/${name}`, "utf8");
    const imported = [...text.matchAll(/\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/g)].map(
      (match) => match[1] ?? match[2]!,
    );
    return imported
      .filter((from) => !/^(?:\.\/[a-z-]+\.ts|@bufbuild\/protobuf(?:\/.*)?|@ferry\/gen\/google\/api\/.*)$/.test(from))
      .map((from) => `${name}: ${from}`);
  });
  assert.deepEqual(foreign, []);
});

test("its door offers what the README says", () => {
  const readme = readFileSync(`${FOLDER}/README.md`, "utf8");
  const unsaid = Object.keys(door).filter((name) => !readme.includes(`\`${name}`));
  assert.deepEqual(unsaid, []);
});
