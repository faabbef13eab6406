import type { Breach } from "./check.ts";

/** What must not be in transfer's books of batches, once everything is at rest. */
export const BATCH_BREACHES: Breach[] = [
  [
    "transfer",
    "a batch has not ended",
    `SELECT id, state AS detail FROM transfer_batch AS batch
     WHERE ended_at IS NULL AND NOT (state = 'SCHEDULED' AND execute_at > now()) AND NOT EXISTS (
       SELECT FROM transfer_batch_line WHERE batch_id = batch.id AND state = 'PARKED')`,
  ],
  [
    "transfer",
    "a line is not as its transfer is",
    `SELECT line.transfer_id AS id, line.state AS detail FROM transfer_batch_line AS line
     LEFT JOIN transfer ON transfer.id = line.transfer_id AND transfer.batch_id = line.batch_id
       AND transfer.batch_line = line.line
     WHERE line.transfer_id IS NOT NULL AND transfer.state IS DISTINCT FROM line.state`,
  ],
  [
    "transfer",
    "a transfer of a batch is no line of it",
    `SELECT id FROM transfer WHERE batch_id IS NOT NULL AND NOT EXISTS (
       SELECT FROM transfer_batch_line AS line WHERE line.transfer_id = transfer.id)`,
  ],
  [
    "transfer",
    "an all-or-nothing batch was paid in part, without the verdict that every line is held",
    `SELECT transfer.id, transfer.state AS detail FROM transfer JOIN transfer_batch AS batch ON batch.id = batch_id
     WHERE mode = 'ALL_OR_NOTHING' AND verdict IS DISTINCT FROM 'GO' AND transfer.state IN ('SENT', 'COMPLETED')`,
  ],
];
