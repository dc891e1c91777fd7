// A page answers in HTTP's own terms, and whoever makes it learns when nobody waits for it any more.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Content, Page } from "#src/hub/pages/page.js";
import { pageMethod } from "#src/hub/pages/page.js";
import { pageHandler } from "#src/hub/pages/page-handler.js";
import { field } from "#src/kit/headers.js";
import { abortOf, callOf, RecordingSink } from "../support/sinks.js";
import { turns } from "../support/until.js";

function ask(render: Page["render"], query: string) {
  const page = { path: "/page", method: pageMethod("test.Pages", "Page"), about: "a page", render };
  const call = callOf();
  call.http = { method: "GET", route: "/page", path: "/page", query, status: 0 };
  const response = new RecordingSink();
  return { request: pageHandler(new Map([["/page", page]]))(call, response), response };
}

test("a page's fields are headers, its body is data as it is, and its query is the request's", async () => {
  const content = {
    contentType: "text/plain",
    body: Buffer.from("a page"),
    etag: '"tag"',
    fields: [field("x-own", "1")],
  };
  const { response } = ask((query) => Promise.resolve({ ...content, body: Buffer.from(`${query}`) }), "a=b");
  await turns();
  assert.deepEqual(response.events, ["open", "headers", "data:a=b", "trailers"]);
  assert.deepEqual(
    response.received?.fields.map(({ name, value }) => `${name}: ${value}`),
    ["content-type: text/plain", "x-own: 1", 'etag: "tag"'],
  );
  assert.equal(response.trailing?.get("grpc-status"), "0");
});

test("who makes a page learns that its client has left", async () => {
  let signal: AbortSignal | undefined;
  let made = (_content: Content): void => {};
  const { request, response } = ask((_query, gone) => {
    signal = gone;
    return new Promise<Content>((resolve) => {
      made = resolve;
    });
  }, "");
  assert.equal(signal?.aborted, false, "it is asked for");
  request.abort(abortOf(1));
  assert.equal(signal.aborted, true);
  made({ contentType: "text/plain", body: Buffer.from("too late"), etag: undefined, fields: [] });
  await turns();
  assert.deepEqual(response.events, [], "nothing is answered");
});
