/** The SQLSTATE of an error of PostgreSQL, as "23505", or the system's code, as "ECONNRESET"; empty when it has none. */
export function sqlStateOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
