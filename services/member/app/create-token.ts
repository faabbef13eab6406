import { isUuid, type Queryable } from "@ferry/platform/db";
import { FerryError, invalidRequest } from "@ferry/platform/errors";
import { type ApiClient, scopesForToken } from "../domain/api-client.ts";
import type { AuditFact, Origin } from "../domain/audit.ts";
import type { Member, Role } from "../domain/member.ts";
import type { Guesses } from "./guesses.ts";
import type { AccessTokens } from "./tokens.ts";

interface ApiClientStore {
  findWithSecret(
    db: Queryable,
    id: string,
  ): Promise<{ client: ApiClient; member: Member; secretHash: Buffer } | undefined>;
  touch(db: Queryable, client: ApiClient, now: Date, origin: Origin): Promise<void>;
}

export interface CreateTokenDeps {
  database: Queryable;
  store: ApiClientStore;
  secrets: { isRight(secret: string, stored: Buffer | undefined): boolean };
  accessTokens: AccessTokens;
  /** What a machine can be allowed to do for somebody of a role. */
  machineScopesOf(role: Role): readonly string[];
  guesses: Pick<Guesses, "countWrong">;
  audit: { record(db: Queryable, fact: AuditFact): Promise<void> };
}

export interface CreateToken {
  grantType: string;
  clientId: string;
  clientSecret: string;
  /** Separated by spaces; empty: all that the client has. */
  scope: string;
  origin: Origin;
}

/**
 * Gives a machine an access token for its client's secret (RFC 6749, section 4.4): it speaks for the client's member,
 * with the client's scopes. Secrets of 256 random bits are not guessed, so no limit stands before them; those that
 * are wrong are told to the audit log, the first few of a window.
 *
 * @throws FerryError INVALID_REQUEST, CREDENTIALS_INVALID, MEMBER_SUSPENDED.
 */
export function createCreateToken(deps: CreateTokenDeps) {
  const { database, store, secrets, accessTokens, machineScopesOf, guesses, audit } = deps;

  async function prove({ clientId, clientSecret, origin }: CreateToken) {
    const found = isUuid(clientId.toLowerCase()) ? await store.findWithSecret(database, clientId) : undefined;
    if (secrets.isRight(clientSecret, found?.secretHash) && found !== undefined) return found;
    if (found !== undefined && (await guesses.countWrong(`client ${found.client.id}`, origin.address))) {
      const { client } = found;
      const outcome = "CREDENTIALS_INVALID";
      const { memberId, id: apiClientId } = client;
      await audit.record(database, { kind: "API_CLIENT_REFUSED", memberId, apiClientId, origin, outcome });
    }
    throw new FerryError("CREDENTIALS_INVALID", "client_id or client_secret is wrong");
  }

  return async (command: CreateToken): Promise<{ accessToken: string; scope: string }> => {
    if (command.grantType !== "client_credentials")
      throw invalidRequest([{ field: "grant_type", description: 'must be "client_credentials"' }]);
    const { client, member } = await prove(command);
    if (member.state === "suspended") throw new FerryError("MEMBER_SUSPENDED", "the client's member is suspended");
    const scopes = scopesForToken(command.scope, client.scopes, machineScopesOf(member.role));
    if (scopes === undefined)
      throw invalidRequest([{ field: "scope", description: `must be among the client's: ${client.scopes.join(" ")}` }]);
    const accessToken = accessTokens.sign({
      ...{ memberId: member.id, sessionId: client.sessionId, role: member.role },
      client: { id: client.id, scopes },
    });
    await store.touch(database, client, new Date(), command.origin);
    return { accessToken, scope: scopes.join(" ") };
  };
}
