import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { ConfigError } from "@ferry/platform/config";
import { openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { createMakeOperator, type MadeOperator } from "./app/make-operator.ts";
import { readDatabaseConfig } from "./config.ts";
import { apiClientStore } from "./store/api-client-store.ts";
import { auditStore } from "./store/audit-store.ts";
import { memberStore } from "./store/member-store.ts";
import { notify } from "./store/notices.ts";
import { createPasswordHasher } from "./store/password-hash.ts";
import { sessionStore } from "./store/session-store.ts";

const HELP = `npm run operator -- --email <email> [--name <display name>]

Makes an operator, or makes one of a member who is there already, and prints a new password, once.
Who is there already keeps their name; their old password, their open sessions and their API clients end.

The database is member's: DATABASE_URL, or in local mode that of the platform which npm start brought up
here (ferry_member on 127.0.0.1:5433; FERRY_DATA_DIR and FERRY_PORT_OFFSET as for npm start).
`;
const PASSWORD_BYTES = 18;
const EMAIL = /^[^\s@]{1,64}@[^\s@]{1,189}$/;

const SAID: Record<MadeOperator["kind"], string> = {
  created: "is a new operator",
  promoted: "was a member and is now an operator",
  renewed: "was an operator already and has a new password",
};

/** What a person can act on, for the failures that they can meet here. */
function explain(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (error instanceof FerryError || error instanceof ConfigError) return error.message;
  if (code === "42P01" || code === "3D000")
    return "that is not member's database (ferry_member), or it is empty: start the platform once (npm start), or set DATABASE_URL";
  if (code === "28P01" || /password must be a/.test(String(error)))
    return "PostgreSQL takes no log-in without its password: run this where npm start was run, or set DATABASE_URL";
  if (code === "ECONNREFUSED")
    return "PostgreSQL does not answer there: start the platform (npm start), or set DATABASE_URL";
  return String(error);
}

async function makeOperator(email: string, displayName: string): Promise<void> {
  const { databaseUrl } = readDatabaseConfig();
  const database = openDatabase({ url: databaseUrl, maxConnections: 1, name: "operator" });
  try {
    const make = createMakeOperator({
      database,
      members: memberStore,
      sessions: sessionStore,
      apiClients: apiClientStore,
      passwords: createPasswordHasher(),
      audit: auditStore,
      notifyAll: (tx) => notify(tx, { kind: "all" }),
    });
    const password = randomBytes(PASSWORD_BYTES).toString("base64url");
    const { kind, id } = await make({ email, displayName, password });
    console.log(`${email} ${SAID[kind]}.\n\nmember id: ${id}\npassword: ${password}\n\nIt is shown this once.`);
  } finally {
    await database.close();
  }
}

try {
  const { values } = parseArgs({
    options: { email: { type: "string" }, name: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  const { email = "", name = "Operator" } = values;
  if (values.help) console.log(HELP);
  else if (!EMAIL.test(email))
    throw new FerryError("INVALID_REQUEST", `--email is ${JSON.stringify(email)}: must be an email address`);
  else if (name === "" || name.length > 100)
    throw new FerryError("INVALID_REQUEST", "--name must have 1 to 100 characters");
  else await makeOperator(email, name);
} catch (error) {
  console.error(`operator: ${explain(error)}\n\n${HELP}`);
  process.exitCode = 1;
}
