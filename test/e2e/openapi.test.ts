// A client that knows the running hub by its OpenAPI document alone: every operation of the samples is called, and each
// answer is what the document says of it.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { at, closed, compile, objectOf, operationsOf } from "../transcoding/openapi/support/check.js";
import { type Known, requestFor } from "../transcoding/openapi/support/requests.js";
import { http } from "./support/http.js";
import { startHub } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const library = await startService(scope, "library");
const { address } = await startHub(scope, [library.address]);
const document = objectOf(JSON.parse((await http("1.1", address, "/openapi.json")).text));
const strict = closed(document);

/** What a person knows: which books there are, what can be found, and that nobody has time. */
const KNOWN: Known = {
  book: "the-hobbit",
  shelf: "speculative",
  query: "sea",
  pageSize: 2,
  pageToken: "",
  orderBy: "title",
  interval: "0s",
  maxResults: 2,
};
/** Each is called so often, with other values. */
const SAMPLES = 4;

const succeeded = new Set<string>();

describe("each operation answers as the document says", () => {
  // What changes the book comes after what reads it, and what deletes it last.
  const operations = operationsOf(document);
  const last = ({ method }: { readonly method: string }): number => ["PATCH", "DELETE"].indexOf(method);
  for (const own of operations.sort((a, b) => last(a) - last(b))) {
    test(`${own.method} ${own.path}`, async () => {
      for (const { method, target, contentType, body } of fc.sample(requestFor(document, own, KNOWN), {
        numRuns: SAMPLES,
        seed: 7,
      })) {
        const headers = contentType === undefined ? {} : { "content-type": contentType };
        const answer = await http("1.1", address, target, {
          method,
          headers,
          ...(body === undefined ? {} : { body }),
        });
        const said = `${method} ${target} ${body}: ${answer.status} ${answer.text}`;
        const type = String(answer.headers["content-type"]);
        const responses = objectOf(own.operation.responses);
        const reference = objectOf(responses[String(answer.status)] ?? responses.default);
        const response =
          typeof reference.$ref === "string"
            ? objectOf(at(strict, ...reference.$ref.slice(2).split("/")))
            : objectOf(at(closed(reference)));
        const judge = compile(strict, at(response, "content", type, "schema"));
        const value: JsonValue = JSON.parse(answer.text);
        assert.ok(judge(value), `${said}: ${JSON.stringify(judge.errors)}`);
        if (answer.status === 200) succeeded.add(String(own.operation.operationId));
        // Services may refuse what they get; the hub has promised to take it.
        assert.doesNotMatch(answer.text, /"domain":"linchpin"/, said);
      }
    });
  }

  test("and those whose values a document can tell have answered well", () => {
    const ids = operations.map(({ operation }) => String(operation.operationId));
    // A body of any values is no book; under the gRPC path the book's name is in the body.
    const failed = ids.filter((id) => !succeeded.has(id) && !/_rpc$|CreateBook$/.test(id));
    assert.deepEqual(failed, []);
  });
});
