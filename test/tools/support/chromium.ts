// A headless Chromium, driven over its debugging pipe: what a page asks for, says and shows.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import type { Scope } from "../../e2e/support/program.js";

const TIMEOUT_MS = 20_000;
const REMOVE_TRIES = 50;
const REMOVE_AGAIN_MS = 100;

type Json = Readonly<Record<string, unknown>>;

export interface Tab {
  /** URLs that the page asked for. */
  readonly requested: string[];
  /** Errors and warnings of its console: violations of its Content Security Policy among them. */
  readonly complaints: string[];
  open(url: string): Promise<void>;
  /** The value of an expression in the page, once it is anything but false, null or undefined. */
  until(expression: string): Promise<unknown>;
}

export async function openTab(scope: Scope): Promise<Tab> {
  const profile = mkdtempSync(join(tmpdir(), "linchpin-chromium-"));
  const child = spawn(
    "chromium",
    [
      "--headless=new",
      // The page is ours, and CI runs as root.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      `--user-data-dir=${profile}`,
      "--remote-debugging-pipe",
      "about:blank",
    ],
    { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
  );
  scope.after(async () => {
    const gone = new Promise((resolve) => child.once("close", resolve));
    if (child.exitCode === null && child.pid !== undefined) {
      // Killed, it leaves processes behind that go on writing its profile.
      browser.send("Browser.close", {}).catch(() => child.kill("SIGKILL"));
      await gone;
    }
    await removed(profile);
  });
  const [, , , input, output] = child.stdio;
  assert.ok(isWritable(input) && isReadable(output));
  const browser = new Connection(input, output);
  child.once("error", (error) => browser.fail(error));
  child.once("close", () => browser.fail(new Error("chromium has ended")));
  const { targetId } = await browser.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });
  assert.ok(typeof sessionId === "string");
  const requested: string[] = [];
  const complaints: string[] = [];
  browser.onEvent = (method, params) => {
    if (method === "Network.requestWillBeSent") requested.push(String(objectOf(params.request).url));
    if (method === "Log.entryAdded") complaints.push(String(objectOf(params.entry).text));
    if (method === "Runtime.exceptionThrown") complaints.push(JSON.stringify(params.exceptionDetails));
    if (method === "Runtime.consoleAPICalled" && (params.type === "error" || params.type === "warning"))
      complaints.push(JSON.stringify(params.args));
  };
  for (const domain of ["Network", "Log", "Runtime", "Page"])
    await browser.send(`${domain}.enable`, {}, sessionId);
  return {
    requested,
    complaints,
    open: async (url) => {
      await browser.send("Page.navigate", { url }, sessionId);
    },
    until: async (expression) => {
      const waiting = `new Promise((resolve) => {
        const look = () => {
          const value = (() => ${expression})();
          if (value === undefined || value === null || value === false) setTimeout(look, 50);
          else resolve(value);
        };
        look();
      })`;
      const answer = await browser.send(
        "Runtime.evaluate",
        { expression: waiting, awaitPromise: true, returnByValue: true },
        sessionId,
      );
      assert.equal(answer.exceptionDetails, undefined, JSON.stringify(answer.exceptionDetails));
      return objectOf(answer.result).value;
    },
  };
}

/** Processes of the browser may write for a moment after its end, and the retries of `rmSync` look for no new files. */
async function removed(folder: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      rmSync(folder, { recursive: true, force: true });
      return;
    } catch (error) {
      if (tries === REMOVE_TRIES) throw error;
      await setTimeout(REMOVE_AGAIN_MS);
    }
  }
}

/** The DevTools protocol: JSON texts, each ended by a zero byte. */
class Connection {
  onEvent: (method: string, params: Json) => void = () => {};
  readonly #input: Writable;
  readonly #waiting = new Map<number, { resolve(result: Json): void; reject(error: Error): void }>();
  #last = 0;
  #text = "";

  constructor(input: Writable, output: Readable) {
    this.#input = input;
    output.setEncoding("utf8").on("data", (chunk: string) => this.#take(chunk));
  }

  send(method: string, params: Json, sessionId?: string): Promise<Json> {
    const id = ++this.#last;
    const result = new Promise<Json>((resolve, reject) => {
      const timer = globalThis.setTimeout(() => reject(new Error(`${method} was not answered`)), TIMEOUT_MS);
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          then(value);
        };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
    });
    this.#input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return result;
  }

  fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #take(chunk: string): void {
    const texts = (this.#text + chunk).split("\0");
    this.#text = texts.pop() ?? "";
    for (const text of texts) {
      const message: Json = JSON.parse(text);
      if (typeof message.method === "string") this.onEvent(message.method, objectOf(message.params));
      if (typeof message.id !== "number") continue;
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error === undefined) waiting?.resolve(objectOf(message.result));
      else waiting?.reject(new Error(JSON.stringify(message.error)));
    }
  }
}

function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function isWritable(stream: unknown): stream is Writable {
  return typeof stream === "object" && stream !== null && "write" in stream;
}

function isReadable(stream: unknown): stream is Readable {
  return typeof stream === "object" && stream !== null && "read" in stream;
}
