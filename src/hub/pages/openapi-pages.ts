// `/openapi.json` and `/openapi.yaml`: the document of the routes, whole or of one service or version. Made on demand,
// and kept as long as the routes: each snapshot has new ones.

import { refusal } from "../../call/status/reasons.js";
import { Status } from "../../call/status/status.js";
import { badRequest } from "../../call/status/status-details.js";
import { field } from "../../kit/headers.js";
import { keepPackedForms } from "../../kit/packed-forms.js";
import { cut } from "../../kit/text/text.js";
import type { OpenApiInput } from "../../openapi/document.js";
import type { Format } from "../../openapi/document-job.js";
import { Documents, type DocumentThreads } from "../../openapi/documents.js";
import type { OpenApiFilter } from "../../openapi/filter.js";
import { type Content, PAGES_SERVICE, type Page, pageMethod } from "./page.js";

const PARAMETERS = ["service", "version"] as const;
/** OpenAPI 3.1 has no registered media type; RFC 9512 has one for YAML. */
const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  json: "application/json",
  yaml: "application/yaml",
};
const FIELDS = [field("cache-control", "no-cache")];

/** @param base the path before the dot, as in `/openapi` */
export function openApiPages(base: string, input: OpenApiInput, threads: DocumentThreads): Page[] {
  const documents = new Documents(input, { threads });
  return (["json", "yaml"] as const).map((format) => ({
    path: `${base}.${format}`,
    about: "the OpenAPI document of the routes (http.openapi)",
    method: pageMethod(PAGES_SERVICE, "OpenApi"),
    render: (query, gone) => render(documents, format, query, gone),
  }));
}

async function render(
  documents: Documents,
  format: Format,
  query: URLSearchParams,
  gone: AbortSignal,
): Promise<Content | Status> {
  const filter: { -readonly [K in keyof OpenApiFilter]: OpenApiFilter[K] } = {};
  for (const [name, value] of query) {
    const known = PARAMETERS.find((parameter) => parameter === name);
    if (known === undefined) return invalid(name, `unknown; there is ${PARAMETERS.join(" and ")}`);
    if (filter[known] !== undefined) return invalid(name, "given twice");
    filter[known] = value;
  }
  const made = await documents.get(format, filter, gone);
  if (made instanceof Status) return made;
  const { body, etag } = made;
  keepPackedForms(body);
  return { contentType: CONTENT_TYPES[format], body, etag, fields: FIELDS };
}

function invalid(name: string, problem: string): Status {
  const shown = cut(name, 100);
  return refusal("INVALID_REQUEST", `query parameter '${shown}': ${problem}`, {
    details: [badRequest([{ field: shown, description: problem }])],
  });
}
