// What a service sends in an HttpBody, in a real browser: whatever type it claims, nothing of it runs on the site.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { HttpBody } from "#generated/google/api/httpbody.js";
import { GetFileRequest } from "#generated/test/v1/files.js";
import { createHub } from "#src/index.js";
import { H2Service } from "../support/h2-service.js";
import { openTab } from "./support/chromium.js";

const IMAGE = fileURLToPath(new URL("../../../generated/image.binpb", import.meta.url));

/** Each as a browser may take it: what it takes for a page or a script reports to the collector. */
const TYPES: readonly string[] = [
  "text/html",
  "text/html x",
  "text/html(x)",
  "text/html;",
  "text/html,x",
  "application/json,text/html",
  "application/json, text/html",
  "image/png,text/html",
  "text/plain;,text/html",
  "*/*,text/html",
  "TEXT/HTML; charset=utf-8",
  "application/xhtml+xml",
  "application/xml",
  "text/xml",
  "application/rss+xml",
  "image/svg+xml",
  "image/svg+xml x",
  "multipart/x-mixed-replace;boundary=b",
  "multipart/related;boundary=b",
  "message/rfc822",
  "text/plain",
  "text/htmlx",
  "x/y",
  "html",
  "",
];
/** Without these the test shows nothing: Chromium runs them where they are let through. */
const RUN_WHEN_ALLOWED = [
  "text/html",
  "text/html x",
  "text/html(x)",
  "image/svg+xml",
  "application/xhtml+xml",
];
const SCRIPTS: readonly string[] = [
  "text/javascript",
  "application/javascript; charset=utf-8",
  "text/ecmascript",
  "text/javascript x",
  "text/plain",
  "application/json,text/javascript",
];

/** A page that says that it has run. */
function pageOf(type: string, report: string): string {
  const script = `new Image().src = ${JSON.stringify(report)};`;
  if (type.includes("svg"))
    return `<svg xmlns="http://www.w3.org/2000/svg"><script><![CDATA[fetch(${JSON.stringify(report)}, { mode: "no-cors" })]]></script></svg>`;
  const page = `<html xmlns="http://www.w3.org/1999/xhtml"><body><script>${script}</script></body></html>`;
  return type.startsWith("multipart") ? `--b\r\nContent-Type: text/html\r\n\r\n${page}\r\n--b--\r\n` : page;
}

test("Chromium runs nothing that a service sends as an HttpBody, unless the config lets it", async (t) => {
  // Both paths, unary and stream, ask with their type in field 3 or 4 and what it is for in `name`.
  const service = await new H2Service((request) => {
    request.onEnd = () => {
      const { name, contentType } = GetFileRequest.decode(request.body.subarray(5));
      const report = `${collector}/${name}`;
      const isScript = name.includes("script");
      const body = isScript
        ? `fetch(${JSON.stringify(report)}, { mode: "no-cors" })`
        : pageOf(contentType, report);
      const message = HttpBody.encode({ contentType, data: Buffer.from(body), extensions: [] }).finish();
      request.headers().message(message).trailers();
    };
  }).start();
  t.after(() => service.stop());

  const ran = new Set<string>();
  let page = "";
  const server = createServer((request, response) => {
    if (request.url === "/") response.setHeader("content-type", "text/html").end(page);
    else {
      ran.add(request.url?.slice(1) ?? "");
      response.end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const collector = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const hubs = await Promise.all(
    [false, true].map((allowActiveContent) =>
      createHub({
        listen: "127.0.0.1:0",
        log: false,
        upstreams: { files: { endpoints: [service.address], schema: { protoset: IMAGE } } },
        http: { allowActiveContent },
      }),
    ),
  );
  for (const hub of hubs) t.after(() => hub.close());
  const [guarded, open] = hubs;
  assert.ok(guarded !== undefined && open !== undefined);

  const fileOf = (hub: string, name: string, type: string): string =>
    `${hub}/test/v1/file/${name}?contentType=${encodeURIComponent(type)}`;
  const frames = hubs.flatMap(({ url }, h) =>
    TYPES.map((type, i) => `<iframe src="${fileOf(url, `frame-${h}-${i}`, type)}"></iframe>`),
  );
  const scripts = hubs.flatMap(({ url }, h) =>
    SCRIPTS.map((type, i) => `<script src="${fileOf(url, `script-${h}-${i}`, type)}"></script>`),
  );
  page = `<!DOCTYPE html><body>${frames.join("")}${scripts.join("")}</body>`;
  const tab = await openTab({ after });
  await tab.open(`${collector}/`);
  const expected = hubs.length * (TYPES.length + SCRIPTS.length);
  await tab.until(`document.readyState === "complete"`);
  const asked = (): number => service.requests.length;
  for (const limit = Date.now() + 20_000; asked() < expected && Date.now() < limit; )
    await tab.until("new Promise((resolve) => setTimeout(resolve, 50)) && true");
  assert.equal(asked(), expected, "each frame and script has asked for its file");
  // What comes last is run after all the others.
  await tab.until(
    `document.body.insertAdjacentHTML("beforeend", '<iframe src="${fileOf(open.url, "last", "text/html")}"></iframe>') ?? true`,
  );
  for (const limit = Date.now() + 20_000; !ran.has("last") && Date.now() < limit; )
    await tab.until("new Promise((resolve) => setTimeout(resolve, 50)) && true");

  const names = (h: number): string[] => [
    ...TYPES.filter((_, i) => ran.has(`frame-${h}-${i}`)),
    ...SCRIPTS.filter((_, i) => ran.has(`script-${h}-${i}`)).map((type) => `script ${type}`),
  ];
  const allowed = names(1);
  t.diagnostic(`where the config lets it, Chromium runs ${allowed.join(" | ")}`);
  for (const type of [...RUN_WHEN_ALLOWED, "script text/javascript"]) assert.ok(allowed.includes(type), type);
  assert.deepEqual(names(0), []);
});
