import { randomUUID } from "node:crypto";
import type { Walk, Walker } from "./walkers.ts";

const PASSWORD = "correct horse battery";

/** Half of the life of a token. */
const LOGGED_IN_MS = 300_000;

export interface Login {
  email: string;
  password: string;
}

export interface SignedUp {
  /** Undefined: the answer did not come, and the email was taken the next time. */
  id: string | undefined;
  login: Login;
}

/** One who signed up unheard is told that the email is taken, and goes on. */
export async function signUp(walker: Walker): Promise<SignedUp> {
  const login = { email: `${randomUUID()}@example.com`, password: PASSWORD };
  const body = { ...login, displayName: "Newcomer" };
  const reply = await walker.ask("POST", "/v1/members", { body, whenSentAgain: ["EMAIL_TAKEN"] });
  return { id: reply.body.data?.member?.id, login };
}

interface Tokens {
  accessToken: string;
  refreshToken: string;
}

async function logIn(walker: Walker, login: Login): Promise<Tokens> {
  return (await walker.ask("POST", "/v1/sessions", { body: login })).body.data;
}

/** Somebody who stays logged in. */
export class LoggedIn {
  readonly #login: Login;
  #token = "";
  #untilMs = 0;

  constructor(login: Login) {
    this.#login = login;
  }

  async token(walker: Walker): Promise<string> {
    if (Date.now() > this.#untilMs) {
      this.#token = (await logIn(walker, this.#login)).accessToken;
      this.#untilMs = Date.now() + LOGGED_IN_MS;
    }
    return this.#token;
  }
}

/** The id of the session that a token belongs to. */
const sessionOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()).sid as string;

/** Every service has to refuse a token of a session that was ended, as soon as it hears of that. */
async function hasEnded(walker: Walker, what: string, token: string): Promise<void> {
  await walker.soon(`the token of ${what} to be refused`, async () => {
    const reply = await walker.tryOnce("POST", "/v1/sessions:revoke-others", token);
    return reply?.status === 401;
  });
  walker.kept.add("ended session", sessionOf(token));
}

/** A second log-in goes on for as long as the first one lets it. */
async function useTwoSessions(walker: Walker, { accessToken, refreshToken }: Tokens, token: string): Promise<void> {
  const body = { refreshToken };
  // A token that is used a second time ends its session: who never got the answer has to log in again.
  const fresh = await walker.ask("POST", "/v1/sessions:refresh", { body, whenSentAgain: ["SESSION_REVOKED"] });
  await walker.ask("POST", "/v1/sessions:revoke-others", { body: {}, token });
  await hasEnded(walker, "another session", fresh.body.data?.accessToken ?? accessToken);
}

/** A machine gets tokens, until its secret is replaced; then its client is taken away. */
async function useMachine(walker: Walker, token: string): Promise<void> {
  const wanted = { displayName: "Till", scopes: ["accounts:read"] };
  const { apiClient, clientSecret } = (await walker.ask("POST", "/v1/api-clients", { body: wanted, token })).body.data;
  const body = { grantType: "client_credentials", clientId: apiClient.id, clientSecret };
  const machine: string = (await walker.ask("POST", "/v1/tokens", { body })).body.data.accessToken;
  const path = `/v1/api-clients/${apiClient.id}`;
  await walker.ask("POST", `${path}:rotate-secret`, { body: {}, token });
  await hasEnded(walker, "a machine with a former secret", machine);
  await walker.ask("DELETE", path, { token, whenSentAgain: ["NOT_FOUND"] });
  walker.kept.add("deleted API client", apiClient.id);
}

/**
 * People who sign up, log in from two places, let a machine in, log out, and are suspended and reinstated where there is
 * an operator: they pass the points that payments do not.
 */
export function newcomer(operatorLogin?: Login): Walk {
  const operator = operatorLogin && new LoggedIn(operatorLogin);
  return async (walker) => {
    const member = await signUp(walker);
    // At once: who logs in a second time before the first has ended makes up for a guess that may have been wrong.
    const [first, second] = await Promise.all([logIn(walker, member.login), logIn(walker, member.login)]);
    const { accessToken: token } = first;
    await useTwoSessions(walker, second, token);
    await useMachine(walker, token);
    const whenSentAgain = ["UNAUTHENTICATED", "SESSION_REVOKED", "NOT_FOUND"];
    await walker.ask("DELETE", "/v1/sessions/current", { token, whenSentAgain });
    await hasEnded(walker, "a session that logged out", token);
    if (operator === undefined || member.id === undefined) return;
    const body = { reason: "the proof's" };
    for (const verb of ["suspend", "reinstate"])
      await walker.ask("POST", `/v1/members/${member.id}:${verb}`, { body, token: await operator.token(walker) });
    walker.kept.add("reinstated member", member.id);
  };
}
