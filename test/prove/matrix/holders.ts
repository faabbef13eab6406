import { LoggedIn, type Login, signUp } from "./newcomers.ts";
import type { Walk } from "./walkers.ts";

/** One who opens accounts and closes them again; an operator freezes and unfreezes each meanwhile. */
export function holder(operatorLogin: Login): Walk {
  const operator = new LoggedIn(operatorLogin);
  let member: LoggedIn | undefined;
  return async (walker) => {
    member ??= new LoggedIn((await signUp(walker)).login);
    const token = await member.token(walker);
    const { account } = (await walker.ask("POST", "/v1/accounts", { body: { currency: "EUR" }, token })).body.data;
    const path = `/v1/accounts/${account.id}`;
    for (const [verb, state] of [
      ["freeze", "ACCOUNT_STATE_FROZEN"],
      ["unfreeze", "ACCOUNT_STATE_OPEN"],
    ]) {
      const question = { body: { reason: "the proof's" }, token: await operator.token(walker) };
      const reply = await walker.ask("POST", `${path}:${verb}`, question);
      const told = reply.body.data?.account.state;
      if (told !== state) walker.surprises.push(`${path} is ${told} after ${verb}`);
    }
    await walker.ask("POST", `${path}:close`, { body: {}, token });
    walker.kept.add("closed account", account.id);
  };
}
