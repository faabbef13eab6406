import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const REPOSITORY = resolve(import.meta.dirname, "../..");
/** Patched modules without their types; `npm ci` takes them away with the rest. */
const STRIPPED = join(REPOSITORY, "node_modules", ".cache", "ferry-patched");

/** A change of one module's text while it is loaded; the file stays as it is. */
export interface Patch {
  /** From the repository's root, as "platform/db/database.ts". */
  module: string;
  /** Must be there exactly once. */
  find: string;
  replace: string;
  /** Added at the module's end. */
  append?: string;
}

/** @throws Error when what is to be replaced is not there exactly once: a patch that does nothing would prove nothing. */
export function patched(text: string, { module, find, replace, append = "" }: Patch): string {
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`${module} has ${JSON.stringify(find)} ${count} times, not once: mend the patch`);
  return `${text.replace(find, () => replace)}\n${append}`;
}

/** Looks whether patches still fit their modules, without loading any. @throws Error as `patched` does. */
export function expectPatchesFit(patches: readonly Patch[]): void {
  for (const patch of patches) patched(readFileSync(join(REPOSITORY, patch.module), "utf8"), patch);
}

/**
 * Takes the types out of a text once for all processes: Node's own cache knows a module as it is on the disk, and a
 * process that is killed leaves nothing there. Otherwise each of them would load the compiler of TypeScript.
 */
function withoutTypes(text: string): string {
  const name = createHash("sha256").update(process.version).update(text).digest("hex");
  const file = join(STRIPPED, `${name}.js`);
  try {
    return readFileSync(file, "utf8");
  } catch {
    // The first process that needs it makes it.
  }
  const stripped = stripTypeScriptTypes(text);
  mkdirSync(STRIPPED, { recursive: true });
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, stripped);
  renameSync(unfinished, file);
  return stripped;
}

/**
 * From here on the named modules of this process are loaded with their patches.
 *
 * @param applied Hears of each module that was loaded so.
 */
export function applyPatches(patches: readonly Patch[], applied: (module: string) => void = () => {}): void {
  const byUrl = Map.groupBy(patches, ({ module }) => pathToFileURL(join(REPOSITORY, module)).href);
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const own = byUrl.get(url);
      if (own === undefined) return loaded;
      const source = own.reduce(patched, String(loaded.source));
      for (const { module } of own) applied(module);
      return { ...loaded, format: "module", source: withoutTypes(source) };
    },
  });
}
