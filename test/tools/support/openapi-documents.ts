// What generators of clients are run over: the document of a hub with the sample services, and that of a schema that has
// what is hard (bytes of any type, forms, streams, oneofs, Any, maps, masks, recursion, defaults, names that are keywords).
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openApiDocument } from "#src/openapi/document.js";
import { printJson } from "#src/openapi/print.js";
import { temporaryFolder } from "../../e2e/support/hub.js";
import { LINCHPIN, type Scope, startNode } from "../../e2e/support/program.js";
import { forGenerators } from "../../openapi/support/for-generators.js";
import { inputFor } from "../../openapi/support/input.js";
import { routerFor } from "../../transcoding/support/schema.js";
import { ROOT, run } from "./programs.js";

/** Where `make tools` puts generators. */
export const GENERATORS = join(ROOT, ".tools/openapi");

export interface OpenApiDocuments {
  /** For what the generators make. */
  readonly folder: string;
  /** Of the hub that serves the first document. */
  readonly url: string;
  /** Files. */
  readonly demo: string;
  readonly torture: string;
}

export async function openApiDocuments(scope: Scope): Promise<OpenApiDocuments> {
  const folder = await temporaryFolder(scope);
  const hub = startNode(scope, LINCHPIN, ["demo", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]);
  const [, url = ""] = await hub.stdout.waitFor(/^listening on (\S+)$/);
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const difficult = openApiDocument(inputFor(routerFor(forGenerators, {}, { forms: () => true })));
  return {
    folder,
    url,
    demo: write("demo.json", await (await fetch(`${url}/openapi.json`)).text()),
    torture: write("torture.json", printJson(difficult)),
  };
}

/** Runs a program that must end well; returns what it printed. */
export async function succeeds(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run("env", ["-C", cwd, command, ...args]);
  assert.equal(code, 0, `${command} ${args.join(" ")}\n${stderr}\n${stdout}`.slice(0, 4000));
  return stdout;
}
