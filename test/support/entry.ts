/** The process of the platform that runs a file, as "transfer"; undefined for the launcher, and for what stands in for the outside. */
export function processOf(entry: string): string | undefined {
  const path = entry.replaceAll("\\", "/");
  return /\/services\/(\w+)\/main\.ts$/.exec(path)?.[1] ?? (path.endsWith("/edge/main.ts") ? "edge" : undefined);
}
