export { openApiDocument } from "./document.ts";
export { addOpenApi, OPENAPI_PATH } from "./serve.ts";
