import type { PlatformSources } from "../../books/sources.ts";

/** What somebody was told is done, for good, and where it shows when it is not. */
const BROKEN = {
  "closed account": ["ledger", "SELECT id FROM account WHERE state <> 'closed'"],
  "reinstated member": ["member", "SELECT id FROM member WHERE state <> 'active'"],
  "ended session": ["member", "SELECT id FROM session WHERE revoked_at IS NULL"],
  "deleted API client": ["member", "SELECT id FROM api_client WHERE true"],
  "deleted webhook endpoint": ["notify", "SELECT id FROM webhook_endpoint WHERE state <> 'DELETED'"],
} as const;

export type Done = keyof typeof BROKEN;

/** What people were told is done, to be looked up once the platform is at rest. */
export class Kept {
  readonly #told = new Map<Done, string[]>();

  add(done: Done, id: string): void {
    this.#told.set(done, [...(this.#told.get(done) ?? []), id]);
  }

  /** @returns what was told and does not hold, and how much was told. */
  async check(sources: PlatformSources): Promise<{ findings: string[]; told: number }> {
    const findings: string[] = [];
    let told = 0;
    for (const [done, ids] of this.#told) {
      const [service, broken] = BROKEN[done];
      const which = ids.map((id) => `'${id}'`).join(",");
      const rows = await sources.query<{ id: string }>(service, `${broken} AND id IN (${which})`);
      told += ids.length;
      if (rows.length > 0) findings.push(`told of a ${done} that is none: ${rows.length}, as ${rows[0]!.id}`);
    }
    return { findings, told };
  }
}
