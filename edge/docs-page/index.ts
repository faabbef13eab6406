import { readFile } from "node:fs/promises";
import type { FastifyInstance } from "fastify";
import { documentHandler } from "../documents.ts";

export const DOCS_PATH = "/docs";

/** How long a browser may keep the parts of the page before it asks again, in seconds. */
const MAX_AGE_SECONDS = 600;

/**
 * What the page may do: run and show what this edge itself serves, and call it. Nothing is fetched from anywhere else,
 * nothing written into the page runs, and no other page may frame it.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join(";");

interface Part {
  path: string;
  type: string;
  /** Where it lies: ours beside this file, Swagger UI's in its package. */
  file: URL;
}

const ours = (name: string) => new URL(name, import.meta.url);
const swagger = (name: string) => new URL(import.meta.resolve(`swagger-ui-dist/${name}`));
const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";

const parts: readonly Part[] = [
  { path: DOCS_PATH, type: "text/html; charset=utf-8", file: ours("page.html") },
  { path: `${DOCS_PATH}/page.js`, type: SCRIPT, file: ours("page.js") },
  { path: `${DOCS_PATH}/page.css`, type: STYLE, file: ours("page.css") },
  { path: `${DOCS_PATH}/swagger-ui-bundle.js`, type: SCRIPT, file: swagger("swagger-ui-bundle.js") },
  { path: `${DOCS_PATH}/swagger-ui.css`, type: STYLE, file: swagger("swagger-ui.css") },
];

/** The paths of the page and its parts, each by GET. */
export const docsPaths: readonly string[] = parts.map(({ path }) => path);

/** Serves the page to try calls on: Swagger UI over /openapi.json, and a log-in. */
export function addDocsPage(app: FastifyInstance): void {
  const headers = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cache-control": `public, max-age=${MAX_AGE_SECONDS}`,
  };
  for (const { path, type, file } of parts)
    app.get(path, documentHandler({ type, headers, make: () => readFile(file, "utf8") }));
}
