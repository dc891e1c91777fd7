// openapi-typescript's types of the OpenAPI document, under strict tsc, and a program that calls the hub by them.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { GENERATORS, openApiDocuments, succeeds } from "./support/openapi-documents.js";

/** Every name that it uses comes from the document, and so do the types of what it sends and reads. */
const PROGRAM = `import type { components, paths } from "./demo.js";
type List = paths["/v1/books"]["get"];
type Create = paths["/v1/books"]["post"];
const url = process.argv[2] ?? "";
const query: NonNullable<List["parameters"]["query"]> = { pageSize: 2 };
const listed = await fetch(\`\${url}/v1/books?pageSize=\${query.pageSize}\`);
const page = (await listed.json()) as List["responses"][200]["content"]["application/json"];
const body: NonNullable<Create["requestBody"]>["content"]["application/json"] = { title: "", authors: [] };
const refused = await fetch(\`\${url}/v1/books\`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const failure = (await refused.json()) as components["schemas"]["Status"];
console.log(JSON.stringify({ titles: page.books?.map((book) => typeof book.title), status: refused.status, code: failure.code }));
`;
const COMPILER = {
  compilerOptions: {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    target: "es2022",
    module: "nodenext",
    types: [],
    lib: ["es2022", "dom"],
  },
  files: ["demo.ts", "torture.ts", "globals.d.ts", "use.ts"],
};

test("openapi-typescript makes types that strict tsc takes, and a call by them is answered", async (t) => {
  const { folder, url, demo, torture } = await openApiDocuments(t);
  const bin = join(GENERATORS, "node_modules/.bin");
  for (const [document, types] of [
    [demo, "demo.ts"],
    [torture, "torture.ts"],
  ] as const)
    await succeeds(join(bin, "openapi-typescript"), [document, "--output", types], folder);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "globals.d.ts"), "declare const process: { argv: string[] };\n");
  writeFileSync(join(folder, "use.ts"), PROGRAM);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(COMPILER));
  await succeeds(join(bin, "tsc"), ["-p", "."], folder);
  const said: unknown = JSON.parse(await succeeds(process.execPath, ["use.js", url], folder));
  assert.deepEqual(said, { titles: ["string", "string"], status: 400, code: 3 });
});
