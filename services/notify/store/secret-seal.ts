import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals the secrets of endpoints for the database. */
export interface SecretSeal {
  seal(endpointId: string, secret: Buffer): Buffer;
  /** @throws Error when it was sealed under another key, for another endpoint, or has been changed. */
  open(endpointId: string, sealed: Buffer): Buffer;
}

/** AES-256-GCM (nonce, tag, ciphertext), bound to the endpoint's id. @param key 32 bytes. */
export function createSecretSeal(key: Buffer): SecretSeal {
  return {
    seal(endpointId, secret) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(endpointId));
      const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]);
    },
    open(endpointId, sealed) {
      const nonce = sealed.subarray(0, NONCE_BYTES);
      const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
        decipher.setAAD(Buffer.from(endpointId)).setAuthTag(tag);
        return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
      } catch (cause) {
        throw new Error(
          `the secret of webhook endpoint ${endpointId} cannot be opened: FERRY_NOTIFY_KEY_SECRET is not the one it was sealed under`,
          { cause },
        );
      }
    },
  };
}
