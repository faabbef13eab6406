import {
  ACCESS_TOKEN,
  CLOCK_SKEW_SECONDS,
  createTokenSigner,
  generateKeyPair,
  type TokenSigner,
} from "@ferry/platform/auth";
import { type Database, newUuid } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { chooseSigningKey, isRotationDue, planRotation } from "./domain/signing-key.ts";
import { openKey, sealKey } from "./store/key-seal.ts";
import { keyStore, type StoredKey } from "./store/key-store.ts";
import { notify } from "./store/notices.ts";

/**
 * How long a new key is published before it signs: longer than a verifier takes to hear of it after a lost stream, and
 * than one outside may keep /.well-known/jwks.json (a minute), on clocks that are apart.
 */
const OVERLAP_MS = 120_000;
/** What a key signed is good for so long after it signed last, on clocks that are apart on both sides. */
const TOKEN_LIFE_MS = (ACCESS_TOKEN.lifeSeconds + 2 * CLOCK_SKEW_SECONDS) * 1_000;

export interface KeyringOptions {
  database: Database;
  /** 32 bytes, under which private keys are sealed. */
  secret: Buffer;
  /** Age at which a key gets a successor, in milliseconds. */
  rotateAfterMs: number;
  /** How long a new key is published before it signs, in milliseconds. Default two minutes. */
  overlapMs?: number;
  now?: () => Date;
}

export interface PublicKey {
  kid: string;
  publicKeyPem: string;
}

/** The signing keys of members' tokens: made, rotated and read, in one place. */
export interface Keyring {
  /**
   * Makes a key when there is none, or the newest has reached its age. Of several replicas one does it.
   *
   * @param force Makes one whatever its age.
   * @returns Whether it made one.
   */
  rotate(force?: boolean): Promise<boolean>;
  /** Reads the keys that are good now. @throws Error when one cannot be opened with this secret. */
  reload(): Promise<PublicKey[]>;
  /** The key that signs now. @throws FerryError UNAVAILABLE when none is loaded. */
  signer(): TokenSigner;
}

export function createKeyring(options: KeyringOptions): Keyring {
  const { database, secret, rotateAfterMs, overlapMs = OVERLAP_MS, now = () => new Date() } = options;
  let keys: StoredKey[] = [];
  let signers = new Map<string, TokenSigner>();

  function makeKey(createdAt: Date, signsFrom: Date): StoredKey {
    const { privateKeyPem, publicKeyPem } = generateKeyPair();
    const kid = `member-${newUuid()}`;
    const sealedPrivateKey = sealKey(secret, kid, privateKeyPem);
    return { kid, sealedPrivateKey, publicKeyPem, createdAt, signsFrom, retireAt: undefined };
  }

  return {
    async rotate(force = false) {
      // What is in memory can only be too old: the lock is taken when even that says it is time.
      if (!force && keys.length > 0 && !isRotationDue(keys, now(), rotateAfterMs)) return false;
      return database.transaction(async (tx) => {
        await keyStore.lock(tx);
        const time = now();
        const good = await keyStore.findGood(tx, time);
        if (!force && !isRotationDue(good, time, rotateAfterMs)) return false;
        const plan = planRotation(good, time, { overlapMs, tokenLifeMs: TOKEN_LIFE_MS });
        await keyStore.succeed(tx, makeKey(time, plan.signsFrom), plan.retireOthersAt);
        await notify(tx, { kind: "keys" });
        return true;
      });
    },
    async reload() {
      const good = await keyStore.findGood(database, now());
      const opened = good.map(({ kid, sealedPrivateKey }) => {
        const signer =
          signers.get(kid) ?? createTokenSigner({ kid, privateKeyPem: openKey(secret, kid, sealedPrivateKey) });
        return [kid, signer] as const;
      });
      keys = good;
      signers = new Map(opened);
      return good.map(({ kid, publicKeyPem }) => ({ kid, publicKeyPem }));
    },
    signer() {
      const chosen = chooseSigningKey(keys, now());
      const signer = chosen && signers.get(chosen.kid);
      if (signer === undefined) throw new FerryError("UNAVAILABLE", "there is no key to sign tokens with yet");
      return signer;
    },
  };
}
