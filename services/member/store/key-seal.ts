import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals a private key for the database (AES-256-GCM: nonce, tag, ciphertext), bound to its kid.
 *
 * @param secret 32 bytes.
 */
export function sealKey(secret: Buffer, kid: string, privateKeyPem: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", secret, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(kid));
  const ciphertext = Buffer.concat([cipher.update(privateKeyPem, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]);
}

/** @throws Error when it was sealed under another secret, for another kid, or has been changed. */
export function openKey(secret: Buffer, kid: string, sealed: Buffer): string {
  try {
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv("aes-256-gcm", secret, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(kid))
      .setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const ciphertext = sealed.subarray(NONCE_BYTES + TAG_BYTES);
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString("utf8");
  } catch (cause) {
    throw new Error(
      `signing key ${kid} cannot be opened: FERRY_MEMBER_KEY_SECRET is not the secret that it was sealed under`,
      { cause },
    );
  }
}
