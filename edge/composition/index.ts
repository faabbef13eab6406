export { withComposition } from "./backend.ts";
