// openapi-generator's clients of the OpenAPI document in four languages: made, compiled, and used to call the hub.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { GENERATORS, openApiDocuments, succeeds } from "./support/openapi-documents.js";
import { program } from "./support/programs.js";

const PYTHON = join(GENERATORS, "venv/bin/python");

const JARS = join(GENERATORS, "java/*");

interface Language {
  /** Of the difficult document it makes what does not compile, by faults of its own. */
  readonly easyOnly?: true;
  /** Of openapi-generator. */
  readonly generator: string;
  /** In the folder of the client: it must compile as a whole. */
  compile(folder: string): Promise<unknown>;
  /** Calls ListBooks with a page size of 2 by the client, and prints how many books came. */
  call(folder: string, url: string): Promise<string>;
}

const tsc = (folder: string, files: readonly string[]): Promise<string> =>
  succeeds(
    join(GENERATORS, "node_modules/.bin/tsc"),
    ["--strict", "--target", "es2022", "--module", "commonjs", "--lib", "es2022,dom", ...files],
    folder,
  );

function javac(folder: string): Promise<string> {
  mkdirSync(join(folder, "classes"), { recursive: true });
  const sources = readdirSync(join(folder, "src/main/java"), { recursive: true, encoding: "utf8" });
  const files = sources.filter((file) => file.endsWith(".java")).map((file) => `src/main/java/${file}`);
  writeFileSync(join(folder, "files"), files.join("\n"));
  return succeeds(program("javac"), ["-nowarn", "-d", "classes", "-cp", JARS, "@files"], folder);
}

const TYPESCRIPT = (
  url: string,
): string => `import { Configuration, LibraryV1LibraryServiceApi } from "./index";
const api = new LibraryV1LibraryServiceApi(new Configuration({ basePath: "${url}" }));
void api.libraryV1LibraryServiceListBooks({ pageSize: 2 }).then((page) => console.log(page.books?.length));
`;
const PROGRAM_PYTHON = `import sys, client
api = client.LibraryV1LibraryServiceApi(client.ApiClient(client.Configuration(host=sys.argv[1])))
print(len(api.library_v1_library_service_list_books(page_size=2).books))
`;
const GO = `package client
import ("context"; "fmt"; "os"; "testing")
func TestCall(t *testing.T) {
  config := NewConfiguration()
  config.Servers = ServerConfigurations{{URL: os.Getenv("HUB")}}
  page, _, err := NewAPIClient(config).LibraryV1LibraryServiceAPI.LibraryV1LibraryServiceListBooks(context.Background()).PageSize(2).Execute()
  if err != nil { t.Fatal(err) }
  fmt.Printf("books: %d\\n", len(page.GetBooks()))
}
`;
const JAVA = `import org.openapitools.client.ApiClient;
import org.openapitools.client.api.LibraryV1LibraryServiceApi;
public class Call {
  public static void main(String[] given) throws Exception {
    ApiClient client = new ApiClient();
    client.updateBaseUri(given[0]);
    System.out.println(new LibraryV1LibraryServiceApi(client).libraryV1LibraryServiceListBooks(
      null, 2, null, null, null, null, null, null, null, null, null).getBooks().size());
  }
}
`;

const LANGUAGES: readonly Language[] = [
  {
    generator: "typescript-fetch",
    compile: (folder) => tsc(folder, ["index.ts"]),
    call: async (folder, url) => {
      writeFileSync(join(folder, "call.ts"), TYPESCRIPT(url));
      await tsc(folder, ["call.ts"]);
      return succeeds(process.execPath, ["call.js"], folder);
    },
  },
  {
    generator: "python",
    // Importing it makes every model.
    compile: (folder) => succeeds(PYTHON, ["-W", "error::SyntaxWarning", "-c", "import client"], folder),
    call: (folder, url) => succeeds(PYTHON, ["-c", PROGRAM_PYTHON, url], folder),
  },
  {
    generator: "go",
    compile: (folder) => succeeds(program("go"), ["build", "./..."], folder),
    call: async (folder, url) => {
      writeFileSync(join(folder, "call_test.go"), GO);
      const said = await succeeds(
        "env",
        [`HUB=${url}`, program("go"), "test", "-count=1", "-v", "-run", "TestCall", "."],
        folder,
      );
      return /^books: (\d+)$/m.exec(said)?.[1] ?? said;
    },
  },
  {
    generator: "java",
    // Of its library "native": a map in a query is asked for a method that no map has.
    easyOnly: true,
    compile: (folder) => javac(folder),
    call: async (folder, url) => {
      writeFileSync(join(folder, "src/main/java/Call.java"), JAVA);
      await javac(folder);
      return succeeds(program("java"), ["-cp", `classes:${JARS}`, "Call", url], folder);
    },
  },
];

const MORE: Readonly<Record<string, readonly string[]>> = {
  python: ["--package-name", "client"],
  // Without the prefix two enums that have a value of one name are declared twice.
  go: [
    "--package-name",
    "client",
    "--git-user-id",
    "linchpin",
    "--git-repo-id",
    "client",
    "--additional-properties",
    "enumClassPrefix=true",
  ],
  java: ["--library", "native"],
};

/**
 * Without it a body that may be JSON or a form ends in clients of typescript-fetch and Java that import a model which was
 * not written: the generator leaves out models of forms, and its templates do not know.
 */
const FORM_MODELS = ["--global-property", "skipFormModel=false"];

for (const { generator, easyOnly, compile, call } of LANGUAGES)
  test(`openapi-generator's ${generator} client compiles, and calls the hub`, async (t) => {
    const { folder, url, demo, torture } = await openApiDocuments(t);
    for (const [document, name] of [
      [torture, "torture"],
      [demo, "demo"],
    ] as const) {
      const own = join(folder, name);
      const more = MORE[generator] ?? [];
      await succeeds(
        join(GENERATORS, "venv/bin/openapi-generator-cli"),
        ["generate", ...FORM_MODELS, "-i", document, "-g", generator, "-o", own, ...more],
        folder,
      );
      if (name === "demo" || easyOnly === undefined) await compile(own);
      if (name === "demo") assert.equal((await call(own, url)).trim(), "2");
    }
  });
