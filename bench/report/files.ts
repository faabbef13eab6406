import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { BenchReport } from "../scenario.ts";
import { renderPage } from "./page.ts";

/** Writes a report as JSON, into a folder that is made where it is missing. */
export function writeJson(jsonFile: string, report: object): void {
  mkdirSync(dirname(jsonFile), { recursive: true });
  writeFileSync(jsonFile, `${JSON.stringify(report, null, 2)}\n`);
}

/** Writes a report as JSON, and as a page beside it. @returns the page's path. */
export function writeReport(jsonFile: string, report: BenchReport): string {
  writeJson(jsonFile, report);
  const pageFile = `${jsonFile.replace(/\.json$/, "")}.html`;
  writeFileSync(pageFile, renderPage(report));
  return pageFile;
}

/** @throws Error that says what is wrong with the file. */
export function readReport(file: string): BenchReport {
  let read: Partial<BenchReport>;
  try {
    read = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (read.format !== "ferry-bench-1" || !Array.isArray(read.scenarios))
    throw new Error(`${file} is no report of npm run bench`);
  return read as BenchReport;
}
