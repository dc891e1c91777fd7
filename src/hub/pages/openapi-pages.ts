// `/openapi.json` and `/openapi.yaml`: the document of the routes, whole or of one service or version. Made when first
// asked for, and kept as long as the routes are the same: they come anew with each snapshot.
import type { JsonObject } from "@bufbuild/protobuf";
import { field } from "../../core/headers.js";
import { lateLoad } from "../../core/late-load.js";
import { keepPackedForms } from "../../core/packed-forms.js";
import { refusal } from "../../core/reasons.js";
import type { Status } from "../../core/status.js";
import { badRequest } from "../../core/status-details.js";
import { cut } from "../../core/text.js";
import type { OpenApiFilter, OpenApiInput } from "../../transcoding/openapi/document.js";
import { etagOf } from "./etag.js";
import { type Content, PAGES_SERVICE, type Page, pageMethod } from "./page.js";

/** Services and versions are few; what is asked for beyond them is made anew each time. */
const MAX_KEPT = 64;
const PARAMETERS = ["service", "version"] as const;

interface Format {
  readonly extension: "json" | "yaml";
  readonly contentType: string;
  print(document: JsonObject): string | Promise<string>;
}

/** OpenAPI 3.1 has registered no media type; RFC 9512 has one for YAML. */
const FORMATS: readonly Format[] = [
  {
    extension: "json",
    contentType: "application/json",
    print: async (document) => (await loadOpenApi()).printJson(document),
  },
  {
    extension: "yaml",
    contentType: "application/yaml",
    print: async (document) => (await loadOpenApi()).printYaml(document),
  },
];

async function importOpenApi() {
  const [document, print] = await Promise.all([
    import("../../transcoding/openapi/document.js"),
    import("../../transcoding/openapi/print.js"),
  ]);
  return { ...document, ...print };
}

let loading: ReturnType<typeof importOpenApi> | undefined;

/** Loaded a while after the start, or by the first request. Rejects where it cannot be loaded now. */
export async function loadOpenApi(): ReturnType<typeof importOpenApi> {
  loading ??= lateLoad(importOpenApi);
  return loading;
}

/** @param base what stands before the dot, as in `/openapi` */
export function openApiPages(base: string, input: OpenApiInput): Page[] {
  return FORMATS.map((format) => new OpenApiPage(base, format, input));
}

class OpenApiPage implements Page {
  readonly path: string;
  readonly about = "the OpenAPI document of the routes (http.openapi)";
  readonly method = pageMethod(PAGES_SERVICE, "OpenApi");
  readonly #format: Format;
  readonly #input: OpenApiInput;
  readonly #kept = new Map<string, Content>();

  constructor(base: string, format: Format, input: OpenApiInput) {
    this.path = `${base}.${format.extension}`;
    this.#format = format;
    this.#input = input;
  }

  async render(query: URLSearchParams): Promise<Content | Status> {
    const filter: { -readonly [K in keyof OpenApiFilter]: OpenApiFilter[K] } = {};
    for (const [name, value] of query) {
      const known = PARAMETERS.find((parameter) => parameter === name);
      if (known === undefined) return invalid(name, `unknown; there is ${PARAMETERS.join(" and ")}`);
      if (filter[known] !== undefined) return invalid(name, "given twice");
      filter[known] = value;
    }
    const { filterProblem, openApiDocument } = await loadOpenApi();
    const problem = filterProblem(this.#input.plans, filter);
    if (problem !== undefined) return refusal("NO_SUCH_SERVICE", problem);
    const key = JSON.stringify([filter.service, filter.version]);
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const body = Buffer.from(await this.#format.print(openApiDocument(this.#input, filter)));
    keepPackedForms(body);
    const { contentType } = this.#format;
    const content = { contentType, body, etag: etagOf(body), fields: [field("cache-control", "no-cache")] };
    if (this.#kept.size < MAX_KEPT) this.#kept.set(key, content);
    return content;
  }
}

function invalid(name: string, problem: string): Status {
  const shown = cut(name, 100);
  return refusal("INVALID_REQUEST", `query parameter '${shown}': ${problem}`, {
    details: [badRequest([{ field: shown, description: problem }])],
  });
}
