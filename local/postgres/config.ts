import { z } from "zod";

const schema = z.object({
  FERRY_POSTGRES_PORT: z.coerce.number().int().min(1).max(65_535).default(5433),
  FERRY_POSTGRES_DIR: z.string().min(1).default(".ferry/postgres"),
});

export interface Config {
  port: number;
  directory: string;
}

/** Reads the settings of the local PostgreSQL; throws one error that names every bad variable. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const result = schema.safeParse(environment);
  if (!result.success) throw new Error(z.prettifyError(result.error));
  return Object.freeze({ port: result.data.FERRY_POSTGRES_PORT, directory: result.data.FERRY_POSTGRES_DIR });
}
