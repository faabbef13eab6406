// Loaded with --import into the processes of a test: puts one mutation in while its module is loaded.
import { appendFileSync } from "node:fs";
import { applyPatches } from "../../support/patches.ts";
import { MUTATIONS } from "./list.ts";

const { FERRY_MUTATION: name, FERRY_MUTATION_APPLIED: file } = process.env;
const mutation = MUTATIONS.find((one) => one.name === name);
if (name !== undefined && mutation === undefined) throw new Error(`there is no mutation ${name}`);
if (mutation !== undefined)
  applyPatches([mutation.patch], (module) => {
    if (file !== undefined) appendFileSync(file, `${module}\n`);
  });
