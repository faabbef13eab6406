import { invalidRequest } from "@ferry/platform/errors";

const FIELDS = ["grant_type", "client_id", "client_secret", "scope"] as const;

export interface TokenRequest {
  grantType: string;
  clientId: string;
  clientSecret: string;
  scope: string;
}

/**
 * Reads a request for a token, whichever form it came in: fields, or an urlencoded form (RFC 6749, section 4.4.2),
 * where parameters that are not known are ignored, and none may come twice (section 3.2).
 *
 * @throws FerryError INVALID_REQUEST.
 */
export function readTokenRequest(request: TokenRequest & { form: Uint8Array }): TokenRequest {
  const { form, grantType, clientId, clientSecret, scope } = request;
  if (form.length === 0) return { grantType, clientId, clientSecret, scope };
  if (grantType !== "" || clientId !== "" || clientSecret !== "" || scope !== "")
    throw invalidRequest([{ field: "form", description: "must come alone: secrets do not belong into a query" }]);
  const parameters = new URLSearchParams(Buffer.from(form).toString("utf8"));
  const [first, second, third, fourth] = FIELDS.map((field) => {
    const values = parameters.getAll(field);
    if (values.length > 1) throw invalidRequest([{ field, description: "must come once" }]);
    const value = values[0] ?? "";
    if (value.includes("\0")) throw invalidRequest([{ field, description: "must not contain the character NUL" }]);
    return value;
  });
  return { grantType: first!, clientId: second!, clientSecret: third!, scope: fourth! };
}
