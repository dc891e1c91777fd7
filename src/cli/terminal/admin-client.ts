// Asks the admin listener of a running hub: for commands that show what it does now.
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { cut, printableLine } from "../../kit/text/text.js";
import { errorCode, UserError } from "../../kit/text/user-error.js";

/** A page of ten thousand endpoints is some 5 MiB. */
const MAX_BYTES = 64 * 1024 * 1024;
/** A hub that is busy answers later; one that is stopped, never. */
const SILENCE_MS = 10_000;
/** Of what a server says that is no hub. */
const MAX_SHOWN = 200;

export interface AdminQuestion {
  /** `http://HOST:PORT` or `https://HOST:PORT` of the admin listener. */
  readonly url: URL;
  /** e.g. `/upstreams` */
  readonly path: string;
  readonly accept: string;
  /** undefined: it asks for none. */
  readonly token: string | undefined;
}

/** The body of a 200 response. Rejects with a UserError that says what to do for everything else. */
export function askAdmin({ url, path, accept, token }: AdminQuestion): Promise<string> {
  const from = `the admin listener at ${url.origin}`;
  return new Promise((resolve, reject) => {
    const fail = (message: string, cause?: unknown): void => reject(new UserError(message, { cause }));
    const headers = { accept, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    const asked = send(new URL(path, url), { headers, timeout: SILENCE_MS, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BYTES) asked.destroy(new Error(`it sent more than ${MAX_BYTES / 1024 ** 2} MiB`));
        else chunks.push(chunk);
      });
      response.on("end", () => {
        const body = Buffer.concat(chunks).toString("utf8");
        if (response.statusCode === 200) resolve(body);
        else
          fail(`${from} answered ${response.statusCode}: ${saidIn(body)}${remedyFor(response.statusCode)}`);
      });
      response.on("error", (error) => fail(`${from} broke off: ${error.message}`, error));
    });
    asked.on("timeout", () => asked.destroy(new Error(`no answer within ${SILENCE_MS / 1000} s`)));
    asked.on("error", (error) => {
      const why = errorCode(error) ?? error.message;
      fail(`${from} cannot be asked: ${why}; is a hub running, with admin there?`, error);
    });
    asked.end();
  });
}

/** Errors of a hub are JSON: `{"error": "…"}`. */
function saidIn(body: string): string {
  let said = body;
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null && "error" in parsed) said = String(parsed.error);
  } catch {
    // It is shown as it is.
  }
  return cut(printableLine(said), MAX_SHOWN);
}

function remedyFor(status: number | undefined): string {
  return status === 401 || status === 403 ? "; LINCHPIN_ADMIN_TOKEN is where the token is taken from" : "";
}
