// What the generated types must take and refuse. The compiler is the test: `tsc` fails when one of these does not hold.
import type { FerryClient } from "./index.ts";

type Holds<Claim extends true> = Claim;
type Takes<Wanted, Given> = Given extends Wanted ? true : false;
type Refuses<Wanted, Given> = Given extends Wanted ? false : true;

type CreateTransfer = Parameters<FerryClient["transfer"]["createTransfer"]>;
type CreateBatch = Parameters<FerryClient["transferBatch"]["createTransferBatch"]>;
type Request = CreateTransfer[0];
type ToAccount = { accountId: string };
type ToBank = { bankAccount: { bankCode: string; accountNumber: string } };
type Amount = { currency: string; minorUnits: bigint };
type Transfer = Awaited<ReturnType<FerryClient["transfer"]["getTransfer"]>>["transfer"];

export type Checked = [
  Holds<Takes<Request, { sourceAccountId: string; destination: ToAccount; amount: Amount }>>,
  Holds<Takes<Request, { sourceAccountId: string; destination: ToBank; amount: Amount; executeTime: Date }>>,
  Holds<Refuses<Request, { sourceAccountId: string; destination: ToAccount }>>,
  Holds<Refuses<Request, { sourceAccountId: string; destination: ToAccount & ToBank; amount: Amount }>>,
  Holds<Refuses<Request["amount"], { currency: string; minorUnits: number }>>,
  Holds<Takes<CreateTransfer[1], { idempotencyKey: string; waitSeconds: number }>>,
  Holds<Takes<CreateBatch[1], { rawBody: { contentType: "text/csv"; body: string } }>>,
  Holds<Refuses<CreateBatch[1], { rawBody: { contentType: "text/html"; body: string } }>>,
  Holds<Takes<string, NonNullable<Transfer["amount"]>["minorUnits"]>>,
  Holds<Takes<Transfer["state"], "TRANSFER_STATE_COMPLETED">>,
  Holds<Refuses<Transfer["state"], "COMPLETED">>,
];
