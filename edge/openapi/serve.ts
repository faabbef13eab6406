import type { FastifyInstance } from "fastify";
import { documentHandler } from "../documents.ts";
import type { EdgePlan } from "../routes.ts";
import { openApiDocument } from "./document.ts";

export const OPENAPI_PATH = "/openapi.json";

/** How long a client may keep the document, in seconds: it changes with a deployment. */
const MAX_AGE_SECONDS = 60;

/** Serves the OpenAPI document, plain. */
export function addOpenApi(app: FastifyInstance, plans: readonly EdgePlan[], version: string): void {
  const document = documentHandler({
    type: "application/json; charset=utf-8",
    headers: { "cache-control": `public, max-age=${MAX_AGE_SECONDS}` },
    make: () => JSON.stringify(openApiDocument(plans, version)),
  });
  app.get(OPENAPI_PATH, document);
}
