import packageJson from "../package.json" with { type: "json" };

/** Semantic version of this release of the platform; all rooms are released together. */
export const version: string = packageJson.version;
