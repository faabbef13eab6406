import fs from "node:fs";

/** Replaces a file so that whoever reads it, also after a kill or a loss of power, finds the old or the new one whole. */
export function writeFileAtomically(file: string, content: string): void {
  const temporary = `${file}.new`;
  const descriptor = fs.openSync(temporary, "w", 0o600);
  try {
    fs.writeSync(descriptor, content);
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  fs.renameSync(temporary, file);
}
