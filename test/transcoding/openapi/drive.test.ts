// What a client makes of the document alone is what the hub takes, and what the hub prints is what the document says.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Status } from "#src/core/status.js";
import { openApiDocument } from "#src/transcoding/openapi/document.js";
import { routerFor } from "../support/schema.js";
import { encodeBody, writeAnswer } from "../support/translate.js";
import { at, closed, compile, operationsOf } from "./support/check.js";
import { requestFor } from "./support/requests.js";
import { torture } from "./support/torture.js";

const RUNS = 5;
/** They answer with the message that they got. */
const ECHOES = new Set(["torture.v1.Things/Echo", "torture.old.Legacy/Call"]);

for (const print of [{}, { protoNames: true, enumsAsNumbers: true, emitDefaults: true }]) {
  const built = routerFor(torture, { print });
  const document: JsonObject = openApiDocument({
    plans: built.plans,
    prefix: "",
    print,
    securitySchemes: undefined,
    access: () => ({ auth: "none", roles: undefined }),
  });
  const strict = closed(document);
  const streams = new Set(
    built.plans
      .filter(({ method: { kind } }) => kind === "client_streaming" || kind === "bidi_streaming")
      .map(({ method }) => `${method.service}/${method.name}`),
  );
  for (const own of operationsOf(document)) {
    const method = String(own.operation["x-grpc-method"]);
    // How messages print matters where one is printed.
    if (streams.has(method) || ("protoNames" in print && !ECHOES.has(method))) continue;
    test(`${own.method} ${own.path} takes what the document says, printed with ${JSON.stringify(print)}`, () => {
      fc.assert(
        fc.property(requestFor(document, own), (request) => {
          const match = built.router.match(request.method, request.target);
          assert.ok(match.kind === "match", `${request.method} ${request.target} has no route`);
          assert.equal(`${match.method.service}/${match.method.name}`, method);
          const message = encodeBody(match, Buffer.from(request.body ?? ""), request.contentType);
          if (message instanceof Status) assert.fail(`${message.message}: ${JSON.stringify(request)}`);
          if (!ECHOES.has(method)) return;
          const answer = writeAnswer(match, [message]);
          if (answer instanceof Status) assert.fail(answer.message);
          const schema = at(own.operation, "responses", "200", "content", answer.contentType, "schema");
          const judge = compile(strict, schema);
          assert.ok(
            judge(JSON.parse(String(answer.body))),
            `${answer.body}: ${JSON.stringify(judge.errors)}`,
          );
        }),
        { numRuns: RUNS },
      );
    });
  }
}
