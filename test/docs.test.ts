import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { catalogue } from "@ferry/platform/errors";
import { pages } from "../scripts/docs.ts";
import { isTest, readSources } from "./house-rules/source.ts";

const root = join(import.meta.dirname, "..");

for (const [file, text] of Object.entries(pages))
  test(`${file} is what the code says`, () => {
    assert.equal(readFileSync(join(root, file), "utf8"), text, "run `npm run docs`");
  });

test("every reason of the catalogue is documented, with its meaning", () => {
  const page = pages["docs/errors.md"] ?? "";
  for (const reason of catalogue.keys())
    assert.match(page, new RegExp(`\\| \`${reason}\` \\| \\d+ \\| \\d+ \\|[^|]*\\| \\S[^|]+\\|`));
});

test("every metric that the code names is documented", () => {
  const page = pages["docs/metrics.md"] ?? "";
  const named = new Set(
    readSources()
      .filter(({ path }) => /^(platform|services|edge|local)\//.test(path) && !isTest(path))
      .flatMap(({ text }) => [...text.matchAll(/\b(?:counter|gauge|histogram)\(\s*"(ferry_[a-z_]+)"/g)])
      .map((match) => match[1] ?? ""),
  );
  assert.ok(named.size > 20, [...named].join());
  for (const name of named) assert.match(page, new RegExp(`\\| \`${name}\` \\| \\w+ \\|[^|]*\\| \\S`));
});

test("every command that the README and CONTRIBUTING name exists", () => {
  const scripts = Object.keys(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts);
  for (const file of ["README.md", "CONTRIBUTING.md"]) {
    const named = [...readFileSync(join(root, file), "utf8").matchAll(/npm run (?:--silent )?([a-z:-]+)/g)].map(
      (match) => match[1] ?? "",
    );
    assert.ok(named.length > 0, file);
    for (const name of named) assert.ok(scripts.includes(name), `${file}: npm run ${name}`);
  }
});
