import { createTokenSigner } from "@ferry/platform/auth";
import { newUuid } from "@ferry/platform/db";

/** More than anybody's cache of one, fewer than any bound. */
const TOKENS = 256;
export const KID = "bench-1";

/** Access tokens of as many members, by ES256, as the member service signs them. */
export function makeTokens(privateKeyPem: string): string[] {
  const signer = createTokenSigner({ kid: KID, privateKeyPem });
  return Array.from({ length: TOKENS }, () =>
    signer.sign({ memberId: newUuid(), sessionId: newUuid(), role: "member" }),
  );
}
