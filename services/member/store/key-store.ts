import type { Queryable, Transaction } from "@ferry/platform/db";
import type { KeyTimes } from "../domain/signing-key.ts";

export interface StoredKey extends KeyTimes {
  sealedPrivateKey: Buffer;
  publicKeyPem: string;
}

interface KeyRow {
  kid: string;
  sealed_private_key: Buffer;
  public_key_pem: string;
  created_at: Date;
  signs_from: Date;
  retire_at: Date | null;
}

/** Names the advisory lock under which keys are made: of two replicas that start at once, one makes the first key. */
const LOCK = "ferry-member-signing-keys";

/** Signing keys, sealed. */
export const keyStore = {
  async lock(tx: Transaction): Promise<void> {
    await tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [LOCK]);
  },

  async findGood(db: Queryable, now: Date): Promise<StoredKey[]> {
    const rows = await db.query<KeyRow>(
      `SELECT kid, sealed_private_key, public_key_pem, created_at, signs_from, retire_at
       FROM signing_key WHERE retire_at IS NULL OR retire_at > $1`,
      [now],
    );
    return rows.map((row) => ({
      kid: row.kid,
      sealedPrivateKey: row.sealed_private_key,
      publicKeyPem: row.public_key_pem,
      createdAt: row.created_at,
      signsFrom: row.signs_from,
      retireAt: row.retire_at ?? undefined,
    }));
  },

  /** Adds a key, sets an end to those before it, and deletes what has ended. */
  async succeed(tx: Transaction, key: StoredKey, retireOthersAt: Date): Promise<void> {
    await tx.query("DELETE FROM signing_key WHERE retire_at <= $1", [key.createdAt]);
    await tx.query("UPDATE signing_key SET retire_at = $1 WHERE retire_at IS NULL", [retireOthersAt]);
    await tx.query(
      `INSERT INTO signing_key (kid, sealed_private_key, public_key_pem, created_at, signs_from)
       VALUES ($1, $2, $3, $4, $5)`,
      [key.kid, key.sealedPrivateKey, key.publicKeyPem, key.createdAt, key.signsFrom],
    );
  },
};

export type KeyStore = typeof keyStore;
