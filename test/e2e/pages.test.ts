// The hub's own pages on the main port: the OpenAPI document, the API page, and its health for HTTP clients.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { after, describe, test } from "node:test";
import { Client, status } from "@grpc/grpc-js";
import { parse } from "yaml";
import { assertValid, objectOf, operation } from "../openapi/support/check.js";
import { insecure } from "./support/grpc.js";
import { http, VERSIONS } from "./support/http.js";
import { fileOf, startHub, startHubWithConfig } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const library = await startService(scope, "library");
const UPSTREAMS = `upstreams: { library: { endpoints: ["${library.address}"] } }`;
const sha256 = (key: string): string => createHash("sha256").update(key).digest("hex");

async function getJson(address: string, path: string, headers: Record<string, string> = {}) {
  return objectOf(JSON.parse((await http("1.1", address, path, { headers })).text));
}

describe("the pages as they are by default", async () => {
  const { address, adminUrl } = await startHub(scope, [library.address]);

  for (const version of VERSIONS)
    test(`the document is valid, and the same in JSON and YAML, over HTTP/${version}`, async () => {
      const json = await http(version, address, "/openapi.json");
      assert.equal(json.status, 200);
      assert.equal(json.headers["content-type"], "application/json");
      assert.match(String(json.headers.etag), /^"[\w-]{20,}"$/);
      const document = objectOf(JSON.parse(json.text));
      await assertValid(document);
      assert.equal(
        operation(document, "GET /v1/books/{book}")["x-grpc-method"],
        "library.v1.LibraryService/GetBook",
      );
      const yaml = await http(version, address, "/openapi.yaml");
      assert.equal(yaml.headers["content-type"], "application/yaml");
      assert.deepEqual(parse(yaml.text), document);
      for (const [path, { headers }] of [
        ["/openapi.json", json],
        ["/openapi.yaml", yaml],
      ] as const) {
        const etag = String(headers.etag);
        for (const value of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
          const again = await http(version, address, path, { headers: { "if-none-match": value } });
          assert.deepEqual([again.status, again.text, again.headers.etag], [304, "", etag], value);
        }
        const other = await http(version, address, path, { headers: { "if-none-match": '"x"' } });
        assert.equal(other.status, 200);
      }
      const head = await http(version, address, "/openapi.json", { method: "HEAD" });
      assert.equal(head.headers["content-length"], json.headers["content-length"]);
      assert.equal(head.text, "");
    });

  test("a part of the document; an unknown part is an error that lists the parts", async () => {
    const v2 = await getJson(address, "/openapi.json?version=v2");
    assert.deepEqual(
      Object.keys(objectOf(v2.paths)).filter((path) => !path.startsWith("/v2/") && !path.includes(".v2.")),
      [],
    );
    assert.deepEqual(await getJson(address, "/openapi.json?service=library.v2.LibraryService"), v2);
    for (const [query, code, message] of [
      ["version=v9", 404, /no version 'v9': there is v1, v2/],
      [
        "service=x.Y",
        404,
        /no service 'x\.Y': there is library\.v1\.LibraryService, library\.v2\.LibraryService/,
      ],
      ["service=library.v1.LibraryService&version=v2", 404, /does not have version 'v2'/],
      ["servce=x", 400, /'servce': unknown; there is service and version/],
      ["version=v1&version=v2", 400, /'version': given twice/],
    ] as const) {
      const answer = await http("1.1", address, `/openapi.json?${query}`);
      assert.equal(answer.status, code, query);
      assert.match(answer.text, message);
    }
  });

  test("the API page has its scripts and styles from the hub, and may load nothing else", async () => {
    const page = await http("1.1", address, "/docs");
    assert.equal(page.headers["content-type"], "text/html; charset=utf-8");
    const policy = String(page.headers["content-security-policy"]);
    assert.match(policy, /default-src 'none'; script-src 'self';/);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
    assert.doesNotMatch(page.text, /https?:|<script>|<style>| on\w+=/);
    const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = ""]) => file);
    assert.ok(files.length >= 4);
    for (const file of files) {
      const { pathname } = new URL(file, `http://${address}/docs`);
      const answer = await http("2", address, pathname);
      assert.equal(answer.status, 200, file);
      assert.equal(answer.body.length, Number(answer.headers["content-length"]));
      assert.equal(answer.headers["x-content-type-options"], "nosniff");
    }
  });

  test("a request for something else gets the list of what exists", async () => {
    const post = await http("1.1", address, "/docs", { method: "POST", body: "{}" });
    assert.equal(post.status, 405);
    assert.equal(post.headers.allow, "GET, HEAD");
    for (const path of ["/", "/docs/"])
      assert.match((await http("1.1", address, path)).text, /the nearest are: GET \/docs/, path);
    assert.equal((await http("1.1", address, "/docs/package.json")).status, 404);
  });

  test("the health of the hub, and of a service", async () => {
    const all = await http("1.1", address, "/healthz");
    assert.deepEqual(
      [all.status, all.text, all.headers["cache-control"]],
      [200, '{"status":"SERVING"}', "no-store"],
    );
    assert.equal((await http("2", address, "/healthz?service=library.v1.LibraryService")).status, 200);
    assert.equal((await http("1.1", address, "/healthz?service=x.Y")).status, 404);
  });

  test("gRPC clients do not reach them, and they count among the calls", async () => {
    const client = new Client(address, insecure);
    scope.after(() => client.close());
    const raw = (bytes: Buffer): Buffer => bytes;
    const code = await new Promise((resolve) =>
      client.makeUnaryRequest("/linchpin.Pages/OpenApi", raw, raw, Buffer.alloc(0), (error) =>
        resolve(error?.code),
      ),
    );
    assert.equal(code, status.UNIMPLEMENTED);
    const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
    assert.match(metrics, /rpc_method="linchpin\.Pages\/OpenApi"/);
  });
});

test("they ask for credentials as methods do; health does not; config opens them", async () => {
  const auth = `interceptors: { auth: { required: true, apiKeys: { keys: [{ name: web, sha256: ${sha256("web-key")} }] } } }`;
  const hub = await startHubWithConfig(scope, `${UPSTREAMS}\n${auth}\n`);
  for (const path of [
    "/openapi.json",
    "/openapi.yaml",
    "/docs",
    "/docs/start.js",
    "/openapi.json?version=v9",
  ])
    assert.equal((await http("1.1", hub.address, path)).status, 401, path);
  assert.equal((await http("1.1", hub.address, "/healthz")).status, 200);
  const document = await getJson(hub.address, "/openapi.json", { "x-api-key": "web-key" });
  assert.deepEqual(operation(document, "GET /v1/books").security, [{ apiKey: [] }]);
  assert.ok("401" in objectOf(operation(document, "GET /v1/books").responses));

  const open = await startHubWithConfig(
    scope,
    `${UPSTREAMS}\n${auth}\nmethods: { linchpin.Pages: { auth: none }, library.v1.LibraryService/GetBook: { auth: none }, library.v2.LibraryService: { roles: [reader] } }\n`,
  );
  assert.equal((await http("1.1", open.address, "/docs")).status, 200);
  const told = await getJson(open.address, "/openapi.json");
  assert.deepEqual(operation(told, "GET /v1/books/{book}").security, []);
  assert.match(String(operation(told, "GET /v2/books").description), /one of the roles reader/);
  assert.equal((await http("1.1", open.address, "/v1/books")).status, 401);
});

test("they can be moved and switched off, and a reload makes the document again", async () => {
  const config = (http: string): string => `${UPSTREAMS}\nhttp: ${http}\n`;
  const file = await fileOf(
    scope,
    "linchpin.yaml",
    config("{ openapi: /api/spec, docs: /api/page, health: /live }"),
  );
  const { address, adminUrl } = await startHub(scope, ["--config", file]);
  const first = await http("1.1", address, "/api/spec.json");
  assert.equal(first.status, 200);
  assert.match((await http("1.1", address, "/api/page")).text, /data-url="spec\.json"/);
  assert.equal((await http("1.1", address, "/api/page/start.js")).status, 200);
  assert.equal((await http("1.1", address, "/live")).status, 200);
  for (const path of ["/openapi.json", "/docs", "/healthz"])
    assert.equal((await http("1.1", address, path)).status, 404);

  await writeFile(
    file,
    config("{ openapi: /api/spec, docs: false, health: false, prefix: /v, print: { protoNames: true } }"),
  );
  assert.equal((await fetch(`${adminUrl}/reload`, { method: "POST" })).status, 200);
  const second = await http("1.1", address, "/api/spec.json");
  assert.notEqual(second.headers.etag, first.headers.etag);
  assert.ok("/v/v1/books" in objectOf(objectOf(JSON.parse(second.text)).paths));
  assert.match(second.text, /"publish_year"/);
  for (const path of ["/api/page", "/live"]) assert.equal((await http("1.1", address, path)).status, 404);

  await writeFile(file, config("{ openapi: false }"));
  await fetch(`${adminUrl}/reload`, { method: "POST" });
  for (const path of ["/openapi.json", "/docs"]) assert.equal((await http("1.1", address, path)).status, 404);
  assert.equal((await http("1.1", address, "/healthz")).status, 200);
});

test("a page beats wildcards, and a route of its very path beats it with a warning", async () => {
  const rule = (path: string): string => `{ selector: library.v1.LibraryService.GetBook, get: "${path}" }`;
  const wild = await startHubWithConfig(scope, `${UPSTREAMS}\nhttp: { rules: [${rule("/{name=**}")}] }\n`);
  assert.match((await http("1.1", wild.address, "/docs")).text, /<!doctype html>/);
  assert.equal((await http("1.1", wild.address, "/books/x")).status, 404);
  const equal = await startHubWithConfig(scope, `${UPSTREAMS}\nhttp: { rules: [${rule("/docs")}] }\n`);
  await equal.program.stderr.waitFor(
    /\/docs is a route of library\.v1\.LibraryService\/GetBook: it hides the API page/,
  );
  assert.doesNotMatch((await http("1.1", equal.address, "/docs")).text, /<!doctype html>/);
});
