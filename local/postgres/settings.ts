/**
 * The settings of a PostgreSQL that shares a laptop with everything else: little memory, no helper
 * processes that are not needed, and no wake-ups while nothing happens.
 *
 * @param durable whether a commit survives the loss of power; false only for tests that throw the server away.
 */
export function serverSettings(port: number, durable: boolean): string[] {
  const switched = durable ? "on" : "off";
  const settings: Record<string, string | number> = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    // Test files run side by side on one server, each with the pools of several services.
    max_connections: durable ? 100 : 250,
    // The indexes of a million transfers, whose ids are random, fit in. With 96 MB that history made a new one 14 %
    // dearer, with this 8 %; without a history both are the same. Memory is taken as it is used.
    shared_buffers: "256MB",
    wal_buffers: "4MB",
    maintenance_work_mem: "32MB",
    fsync: switched,
    synchronous_commit: switched,
    full_page_writes: switched,
    // Nobody replicates from here, so the log may be written in its shortest form.
    wal_level: "minimal",
    max_wal_senders: 0,
    // For ledgers over several databases with two-phase commit; nobody else prepares anything.
    max_prepared_transactions: 64,
    max_wal_size: "1GB",
    checkpoint_timeout: "15min",
    // Reads come from memory; the three I/O worker processes of PostgreSQL 18 would only cost some.
    io_method: "sync",
    max_parallel_workers_per_gather: 0,
    max_logical_replication_workers: 0,
    autovacuum_max_workers: 2,
    autovacuum_naptime: "1min",
    timezone: "UTC",
    log_timezone: "UTC",
    log_checkpoints: "off",
    log_min_messages: "warning",
    // A statement may carry a person's data; its error and the client's own log are enough.
    log_min_error_statement: "panic",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
