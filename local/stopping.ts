/**
 * Calls once when this process is to stop: SIGTERM, SIGINT, or the end of the launcher that started
 * it, which its IPC channel tells. Nothing outlives its launcher.
 */
export function whenAskedToStop(stop: (why: string) => void): void {
  let asked = false;
  const once = (why: string) => {
    if (!asked) stop(why);
    asked = true;
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => once(signal));
  process.on("disconnect", () => once("launcher gone"));
}
