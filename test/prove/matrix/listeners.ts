import { LoggedIn, signUp } from "./newcomers.ts";
import type { Walk, Walker } from "./walkers.ts";
import type { WebhookReceiver } from "./webhooks.ts";

/** How long it is waited before a delivery is asked for once more. */
const PATIENCE_MS = 1_000;

/** What was dead is sent after all, once the endpoint takes it and is enabled. */
async function redrive(walker: Walker, path: string, token: string, hasCome: () => boolean): Promise<void> {
  await walker.soon("what was redriven to come", async () => {
    await walker.ask("POST", `${path}:enable`, { body: {}, token });
    // The endpoint may hear that it is gone a moment after it was enabled.
    await walker.tryOnce("POST", `${path}/deliveries:redrive`, token);
    for (const until = Date.now() + PATIENCE_MS; !hasCome() && Date.now() < until; ) await walker.pause(20);
    return hasCome();
  });
}

/** One who wants webhooks at an address that is gone at first, and when all came takes it away. */
export function listener(receiver: WebhookReceiver): Walk {
  let member: LoggedIn | undefined;
  return async (walker) => {
    member ??= new LoggedIn((await signUp(walker)).login);
    const token = await member.token(walker);
    const visits = receiver.moveOut();
    const body = { url: visits.url, eventTypes: ["transfer.completed"], description: "a listener's" };
    const made = await walker.ask("POST", "/v1/webhook-endpoints", { body, token, mayBe: ["WEBHOOK_ENDPOINT_LIMIT"] });
    if (made.status !== 201) {
      member = undefined; // Too many were made that nobody was told of: somebody else goes on.
      return;
    }
    const { id } = made.body.data.endpoint as { id: string };
    const path = `/v1/webhook-endpoints/${id}`;
    await walker.ask("POST", `${path}:rotate-secret`, { body: {}, token });
    await walker.ask("POST", `${path}:test`, { body: {}, token, whenSentAgain: ["WEBHOOK_ENDPOINT_DISABLED"] });
    await walker.soon("a webhook to be tried", () => visits.refused > 0);
    visits.isGone = false;
    await redrive(walker, path, token, () => visits.taken > 0);
    await walker.ask("DELETE", path, { token, whenSentAgain: ["NOT_FOUND"] });
    receiver.forget(visits);
    walker.kept.add("deleted webhook endpoint", id);
  };
}
