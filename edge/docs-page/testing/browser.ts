import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { until } from "../../../test/support/until.ts";

const COMMANDS = ["chromium", "chromium-browser", "google-chrome"];

/** A browser of this machine; undefined where it has none. */
export const browserCommand = COMMANDS.find((name) => spawnSync(name, ["--version"]).status === 0);

/** A page of a real browser. */
export interface Page {
  /** What an expression gives there, once its promise is fulfilled. @throws Error with what it threw. */
  evaluate(expression: string): Promise<unknown>;
  /** What the browser complained of: of scripts, of what it was not allowed to fetch or run. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

interface Message {
  id?: number;
  method?: string;
  params?: { entry?: { level: string; text: string }; exceptionDetails?: { text: string } };
  result?: { result?: { value?: unknown }; exceptionDetails?: { text: string; exception?: { description?: string } } };
}

interface Target {
  type: string;
  webSocketDebuggerUrl: string;
}

/** Opens a page in a browser of its own, without a window. */
export async function openPage(command: string, url: string): Promise<Page> {
  const profile = mkdtempSync(join(tmpdir(), "ferry-browser-"));
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"];
  const browser = spawn(command, [...flags, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const close = () => end(browser, profile);
  try {
    return { ...(await attach(browser, url)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function attach(browser: ChildProcess, url: string): Promise<Omit<Page, "close">> {
  const address = new URL(await debuggerOf(browser));
  // Its debugger may be there before its page.
  const { webSocketDebuggerUrl } = await until("a page of the browser", async () => {
    const targets = (await (await fetch(`http://${address.host}/json/list`)).json()) as Target[];
    return targets.find(({ type }) => type === "page");
  });
  const socket = new WebSocket(webSocketDebuggerUrl);
  await new Promise((done, fail) => {
    socket.addEventListener("open", done, { once: true });
    socket.addEventListener("error", fail, { once: true });
  });
  const complaints: string[] = [];
  const waiting = new Map<number, (message: Message) => void>();
  socket.addEventListener("message", ({ data }) => {
    const message: Message = JSON.parse(String(data));
    if (message.id !== undefined) waiting.get(message.id)?.(message);
    const { entry, exceptionDetails } = message.params ?? {};
    if (entry?.level === "error" || entry?.level === "warning") complaints.push(entry.text);
    if (exceptionDetails !== undefined) complaints.push(exceptionDetails.text);
  });
  let count = 0;
  const send = (method: string, params: object = {}): Promise<Message> => {
    const id = ++count;
    const { promise, resolve } = Promise.withResolvers<Message>();
    waiting.set(id, resolve);
    socket.send(JSON.stringify({ id, method, params }));
    return promise.finally(() => waiting.delete(id));
  };
  for (const method of ["Log.enable", "Runtime.enable", "Page.enable"]) await send(method);
  await send("Page.navigate", { url });
  return {
    complaints,
    async evaluate(expression) {
      const { result } = await send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
      const failed = result?.exceptionDetails;
      if (failed !== undefined) throw new Error(failed.exception?.description ?? failed.text);
      return result?.result?.value;
    },
  };
}

async function end(browser: ChildProcess, profile: string): Promise<void> {
  if (browser.pid !== undefined && browser.exitCode === null && browser.signalCode === null) {
    const ended = new Promise((done) => browser.once("exit", done));
    browser.kill("SIGKILL");
    await ended;
  }
  rmSync(profile, { recursive: true, force: true, maxRetries: 20 }); // Its other processes write there until they notice.
}

function debuggerOf(browser: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  browser.once("exit", (code) => reject(new Error(`the browser ended with code ${code}`)));
  browser.once("error", reject);
  createInterface({ input: browser.stderr! }).on("line", (line) => {
    const address = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (address !== undefined) resolve(address);
  });
  return promise;
}
