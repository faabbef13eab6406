// A coordinator that moves money once and is killed at a point of the protocol: run as a process of its own.
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { createCoordinator } from "../index.ts";
import { move, openPurses, type Point, type PurseUrls, withPoints } from "./purses.ts";

const { urls, point, id } = JSON.parse(process.argv[2]!) as { urls: PurseUrls; point: Point; id: string };
const parts = withPoints(openPurses(urls), async (reached) => {
  if (reached !== point) return;
  process.kill(process.pid, "SIGKILL");
  await new Promise(() => {}); // The signal is on its way.
});
const coordinator = createCoordinator({ name: "purses", ...parts, logger });
await coordinator.start();
await move(coordinator, id);
