import type { FastifyInstance } from "fastify";
import { etagOf, isKnown } from "../etag.ts";
import type { EdgePlan } from "../routes.ts";
import { openApiDocument } from "./document.ts";

export const OPENAPI_PATH = "/openapi.json";

/** How long a client may keep the document, in seconds: it changes with a deployment. */
const MAX_AGE_SECONDS = 60;

/**
 * Serves the OpenAPI document, plain. It is written when it is first asked for: most processes are never asked.
 */
export function addOpenApi(app: FastifyInstance, plans: readonly EdgePlan[], version: string): void {
  let made: { text: string; etag: string } | undefined;
  app.get(OPENAPI_PATH, async (request, reply) => {
    if (made === undefined) {
      const text = JSON.stringify(openApiDocument(plans, version));
      made = { text, etag: etagOf(text) };
    }
    reply.header("etag", made.etag).header("cache-control", `public, max-age=${MAX_AGE_SECONDS}`);
    const known = request.headers["if-none-match"];
    if (known !== undefined && isKnown(known, made.etag)) return reply.code(304).send();
    return reply.type("application/json; charset=utf-8").send(made.text);
  });
}
