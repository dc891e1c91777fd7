// What the config says of JSON requests, from the file to the answer.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { http, VERSIONS } from "./support/http.js";
import { startHub, startHubWithConfig } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const library = await startService(scope, "library");
const strict = await startHub(scope, [`library=${library.address}`]);
const lax = await startHubWithConfig(
  scope,
  `upstreams: { library: { endpoints: ["${library.address}"] } }
methods: { library.v1.LibraryService/CreateBook: { forms: true } }
http:
  unknownQuery: ignore
  unknownFields: ignore
  methodOverride: true
  bareSystemParameters: true
  print: { protoNames: true, enumsAsNumbers: true, emitDefaults: true }
`,
);

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const MULTIPART = { "content-type": "multipart/form-data; boundary=X" };
const parts =
  '--X\r\nContent-Disposition: form-data; name="title"\r\n\r\nEmma\r\n--X\r\nContent-Disposition: form-data; name="authors"\r\n\r\nJane Austen\r\n--X--\r\n';

for (const version of VERSIONS) {
  describe(`HTTP/${version}`, () => {
    const id = `config-${version.replace(".", "-")}`;
    const rows: [
      what: string,
      path: string,
      init: Parameters<typeof http>[3],
      strictly: number,
      laxly: number,
    ][] = [
      ["an unknown parameter", "/v1/books?nope=1", {}, 400, 200],
      [
        "an unknown field",
        `/v1/books?book_id=${id}-a`,
        { body: '{"title":"a","authors":["b"],"nope":1}' },
        400,
        200,
      ],
      [
        "a form",
        `/v1/books?book_id=${id}-b`,
        { body: "title=Emma&authors=Jane+Austen", headers: FORM },
        415,
        200,
      ],
      ["a form of parts", `/v1/books?book_id=${id}-c`, { body: parts, headers: MULTIPART }, 415, 200],
      [
        "a form for another method",
        `/v1/books/${id}-b`,
        { method: "PATCH", body: "title=x", headers: FORM },
        415,
        415,
      ],
      [
        "POST that is DELETE",
        `/v1/books/${id}-c`,
        { method: "POST", headers: { "x-http-method-override": "DELETE" } },
        405,
        200,
      ],
      ["an unknown system parameter", "/v1/books?$nope=1", {}, 400, 200],
      ["a system parameter that is wrong", "/v1/books?alt=xls", {}, 400, 400],
      [
        "a form to an auto-mapped path",
        "/library.v1.LibraryService/CreateBook",
        { method: "POST", body: "a=b", headers: FORM },
        415,
        415,
      ],
      ["OPTIONS", "/v1/books", { method: "OPTIONS" }, 204, 204],
    ];
    for (const [what, path, init, strictly, laxly] of rows) {
      test(`${what}: ${strictly}, or ${laxly} as configured`, async () => {
        const first = await http(version, strict.address, path, init);
        assert.equal(first.status, strictly, first.text);
        const second = await http(version, lax.address, path, init);
        assert.equal(second.status, laxly, second.text);
      });
    }

    test("messages print as configured", async () => {
      const { text } = await http(version, lax.address, "/v1/books/emma");
      assert.match((await http(version, lax.address, "/v1/books?page_size=1")).text, /"next_page_token":/);
      assert.doesNotMatch(text, /GENRE_/);
    });
  });
}
