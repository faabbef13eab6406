import type { Database, Listening, Transaction } from "@ferry/platform/db";

/** What a replica tells the others of, when its transaction commits. */
export type Notice =
  | { kind: "member"; memberId: string }
  | { kind: "session"; sessionId: string }
  | { kind: "keys" }
  /** More than is worth naming: look at everything anew. */
  | { kind: "all" };

const CHANNEL = "ferry_member_authority";

function parse(payload: string): Notice | undefined {
  const [kind = "", id = ""] = payload.split(" ");
  switch (kind) {
    case "member":
      return { kind, memberId: id };
    case "session":
      return { kind, sessionId: id };
    case "keys":
    case "all":
      return { kind };
    default:
      return undefined;
  }
}

function format(notice: Notice): string {
  switch (notice.kind) {
    case "member":
      return `member ${notice.memberId}`;
    case "session":
      return `session ${notice.sessionId}`;
    case "keys":
    case "all":
      return notice.kind;
  }
}

export async function notify(tx: Transaction, notice: Notice): Promise<void> {
  await tx.query("SELECT pg_notify($1, $2)", [CHANNEL, format(notice)]);
}

/** More than this are not worth a notice each. */
const MAX_NAMED = 100;

export async function notifyRevoked(tx: Transaction, sessionIds: readonly string[]): Promise<void> {
  if (sessionIds.length > MAX_NAMED) return notify(tx, { kind: "all" });
  await tx.query("SELECT pg_notify($1, 'session ' || id) FROM unnest($2::text[]) AS id", [CHANNEL, sessionIds]);
}

/** Hears the notices of every replica, this one included. What a newer release says and this one does not know is let be. */
export function listen(database: Database, heard: (notice: Notice) => void): Promise<Listening> {
  return database.listen(CHANNEL, (payload) => {
    const notice = parse(payload);
    if (notice !== undefined) heard(notice);
  });
}
