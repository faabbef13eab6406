import type { AccountId } from "./account.ts";

/**
 * Shares of all account ids. An account's bucket never changes; which database a bucket lies in can, so
 * that shards are added by moving buckets and not by placing every account anew.
 */
export const BUCKETS = 1_024;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** The bucket of an account, 0 to BUCKETS - 1: FNV-1a of its id in small letters, the same on every machine for ever. */
export function bucketOf(accountId: AccountId): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < accountId.length; index++)
    hash = Math.imul(hash ^ accountId.charCodeAt(index), FNV_PRIME);
  // The low bits of FNV are its weakest.
  return ((hash ^ (hash >>> 16)) >>> 0) % BUCKETS;
}

/** Which buckets each shard of a new ledger gets: runs of about equal length. */
export function spreadBuckets(shards: number): number[][] {
  const spread: number[][] = Array.from({ length: shards }, () => []);
  for (let bucket = 0; bucket < BUCKETS; bucket++) spread[Math.floor((bucket * shards) / BUCKETS)]?.push(bucket);
  return spread;
}
