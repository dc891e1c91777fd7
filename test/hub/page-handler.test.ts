// A page is made once its call has come whole, and whoever makes it learns when nobody waits for it any more.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Content } from "#src/hub/pages/page.js";
import { pageMethod } from "#src/hub/pages/page.js";
import { pageHandler } from "#src/hub/pages/page-handler.js";
import { OpenPages, PageMatch } from "#src/hub/pages/page-match.js";
import { abortOf, callOf, RecordingSink } from "../support/sinks.js";
import { turns } from "../support/until.js";

test("who makes a page learns that its client has left", async () => {
  let signal: AbortSignal | undefined;
  let made = (_content: Content): void => {};
  const page = {
    path: "/page",
    method: pageMethod("test.Pages", "Page"),
    about: "a page",
    render: (_query: URLSearchParams, gone: AbortSignal) => {
      signal = gone;
      return new Promise<Content>((resolve) => {
        made = resolve;
      });
    },
  };
  const open = new OpenPages();
  const number = open.add(new PageMatch(page, "", open));
  const response = new RecordingSink();
  const request = pageHandler(open)(callOf(), response);
  // A gRPC message of four bytes.
  const frame = Buffer.alloc(9);
  frame.writeUInt32BE(4, 1);
  frame.writeUInt32BE(number, 5);
  request.data(frame, 0, frame.length, true);
  assert.equal(signal?.aborted, false, "it is asked for");
  request.abort(abortOf(1));
  assert.equal(signal.aborted, true);
  made({ contentType: "text/plain", body: Buffer.from("too late"), etag: undefined, fields: [] });
  await turns();
  assert.deepEqual(response.events, [], "nothing is answered");
});
