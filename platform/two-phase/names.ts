/**
 * The name of a branch, a transaction's part on one participant, as it is prepared there:
 * "ferry:ledger:<log id>:<transaction id>:<branch>.<branches>", branches counted from 1. It tells whose the
 * transaction is and how many branches make it whole. PostgreSQL wants it unique among all databases of
 * a server, so each branch has its own.
 */
export interface TransactionNames {
  /** What all names of this log's transactions begin with. */
  prefix: string;
  nameOf(id: string, branch: number, branches: number): string;
  /** undefined for names that are not of this log. */
  read(name: string): { id: string; participantCount: number } | undefined;
}

const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const REST = new RegExp(`^(${UUID}):[1-9][0-9]{0,2}[.]([1-9][0-9]{0,2})$`);

/** @param coordinator 1 to 40 characters of [a-z0-9-]. @throws Error for another. */
export function transactionNames(coordinator: string, logId: string): TransactionNames {
  if (!/^[a-z0-9-]{1,40}$/.test(coordinator)) throw new Error(`"${coordinator}" cannot name a coordinator`);
  const prefix = `ferry:${coordinator}:${logId}:`;
  return {
    prefix,
    nameOf: (id, branch, branches) => `${prefix}${id}:${branch}.${branches}`,
    read(name) {
      const found = name.startsWith(prefix) ? REST.exec(name.slice(prefix.length)) : null;
      return found === null ? undefined : { id: found[1]!, participantCount: Number(found[2]) };
    },
  };
}
