/** Names the type of an event for receivers: "TransferCompleted" is "transfer.completed", "TopUpFailed" "top_up.failed". */
export function eventTypeOf(messageName: string): string {
  const words = messageName.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
  const what = words.pop() ?? "";
  return `${words.join("_")}.${what}`;
}

/** The type of what ":test" sends; nobody subscribes to it. */
export const PING = "ping";
