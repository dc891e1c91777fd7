// Which pages a hub has, by its config; a route of a service that has the same path takes a page's place.
import type { HttpConfig } from "../../config/sections/http.js";
import type { OpenApiInput } from "../../transcoding/openapi/document.js";
import { docsPages } from "./docs-pages.js";
import { type HealthState, healthPage } from "./health-page.js";
import { openApiPages } from "./openapi-pages.js";
import type { Page } from "./page.js";

export interface Pages {
  readonly pages: readonly Page[];
  /** Of pages that are hidden, a sentence each. */
  readonly warnings: readonly string[];
}

export function pagesOf(
  { openapi, docs, health }: Pick<HttpConfig, "openapi" | "docs" | "health">,
  input: OpenApiInput,
  state: HealthState,
): Pages {
  const all = [
    ...(openapi === false ? [] : openApiPages(openapi, input)),
    ...(openapi === false || docs === false ? [] : docsPages(docs, `${openapi}.json`)),
    ...(health === false ? [] : [healthPage(health, state)]),
  ];
  const warnings: string[] = [];
  const taken = new Map<string, string>();
  for (const { httpMethod, template, method } of input.plans) {
    const isLiteral = template.segments.every(({ kind }) => kind === "literal");
    if (!isLiteral || !["GET", "HEAD", "*"].includes(httpMethod)) continue;
    const path = template.segments
      .map((segment) => (segment.kind === "literal" ? segment.text : ""))
      .join("/");
    const verb = template.verb === undefined ? "" : `:${template.verb}`;
    taken.set(`${input.prefix}/${path}${verb}`, `${method.service}/${method.name}`);
  }
  const pages = all.filter(({ path, about }) => {
    const owner = taken.get(path);
    if (owner !== undefined) warnings.push(`${path} is a route of ${owner}: it hides ${about}`);
    return owner === undefined;
  });
  return { pages, warnings };
}
