import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { type Database, migrate, openDatabase } from "@ferry/platform/db";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { readDatabaseConfig } from "./config.ts";
import { memberStore } from "./store/member-store.ts";
import { memberMigrations } from "./store/migrations.ts";
import { createPasswordHasher } from "./store/password-hash.ts";

const run = promisify(execFile);
let made: TestDatabase;
let empty: TestDatabase;
let database: Database;

before(async () => {
  made = await createTestDatabase({ name: "member_operator", run: (url) => migrate(url, [memberMigrations]) });
  empty = await createTestDatabase();
  database = openDatabase({ url: made.url, ...PATIENT });
});

after(async () => {
  await database.close();
  await made.drop();
  await empty.drop();
});

const operator = (args: string[], url = made.url) =>
  run(process.execPath, [join(import.meta.dirname, "operator.ts"), ...args], {
    env: { ...process.env, DATABASE_URL: url },
  });

test("the printed password is the new operator's; a second run renews it", async () => {
  const passwords = createPasswordHasher();
  const printed: string[] = [];
  for (const said of [/is a new operator/, /has a new password/]) {
    const { stdout } = await operator(["--email", "Boss@Example.com", "--name", "The Boss"]);
    assert.match(stdout, said);
    printed.push(/^password: (\S{24})$/m.exec(stdout)?.[1] ?? "");
  }
  const found = await memberStore.findWithPassword(database, "boss@example.com");
  assert.deepEqual([found?.member.role, found?.member.displayName], ["operator", "The Boss"]);
  assert.equal(await passwords.verify(printed[1]!, found?.passwordHash), true);
  assert.equal(await passwords.verify(printed[0]!, found?.passwordHash), false);
});

test("what is wrong is said in words, with the help, and ends with code 1", async () => {
  const bad: [string[], string, RegExp][] = [
    [[], made.url, /--email is "": must be an email address/],
    [["--email", "nobody"], made.url, /must be an email address/],
    [["--emial", "a@example.com"], made.url, /--emial/],
    [["--email", "a@example.com"], empty.url, /not member's database.*start the platform once/],
    [["--email", "a@example.com"], "postgres://ferry@127.0.0.1:1/x", /PostgreSQL does not answer/],
    [["--email", "a@example.com"], "http://x", /DATABASE_URL/],
  ];
  for (const [args, url, message] of bad)
    await assert.rejects(operator(args, url), (error: Error & { code: number; stderr: string }) => {
      assert.equal(error.code, 1);
      assert.match(error.stderr, message);
      assert.match(error.stderr, /npm run operator -- --email/);
      return true;
    });
  assert.match((await operator(["--help"])).stdout, /Makes an operator/);
});

test("without DATABASE_URL it finds the database of the platform that runs here, password included", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ferry-operator-"));
  const env = { FERRY_DATA_DIR: folder, FERRY_PORT_OFFSET: "100" };
  assert.equal(readDatabaseConfig(env).databaseUrl, "postgres://ferry:@127.0.0.1:5533/ferry_member");
  await mkdir(join(folder, "postgres"));
  await writeFile(join(folder, "postgres", "password"), "s3cret\n");
  assert.equal(readDatabaseConfig(env).databaseUrl, "postgres://ferry:s3cret@127.0.0.1:5533/ferry_member");
  assert.throws(() => readDatabaseConfig({ ...env, FERRY_ENV: "production" }), /DATABASE_URL is missing/);
  await rm(folder, { recursive: true });
});
