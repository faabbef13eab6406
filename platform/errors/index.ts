export { type CatalogueEntry, catalogue, isReason, type Reason } from "./catalogue.ts";
export { type ErrorDetails, FerryError, type FieldViolation, fromUnknown, invalidRequest } from "./error.ts";
