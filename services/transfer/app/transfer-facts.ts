import type { AccountFacts, TransferFacts, TransferRequest } from "../domain/transfer.ts";

export interface TransferFactsDeps {
  members: { stateOf(memberId: string): Promise<TransferFacts["memberState"]> };
  accounts: { factsOf(accountId: string): Promise<AccountFacts | undefined> };
}

/** Asks the other services for all that a transfer is checked against. */
export function createTransferFacts({ members, accounts }: TransferFactsDeps) {
  return async (request: TransferRequest): Promise<TransferFacts> => {
    const { destination } = request;
    const [memberState, source, target] = await Promise.all([
      members.stateOf(request.memberId),
      accounts.factsOf(request.sourceAccountId),
      destination.kind === "account" ? accounts.factsOf(destination.accountId) : undefined,
    ]);
    return { memberState, source, destination: target };
  };
}
