// The pages of a hub, by its config; a service's route with the same path replaces a page.

import type { OpenApiInput } from "../../openapi/document.js";
import type { DocumentThreads } from "../../openapi/documents.js";
import type { HttpConfig } from "../../settings/sections/http.js";
import type { BuiltRestRouter } from "../../transcoding/rest-router.js";
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
  literal: BuiltRestRouter["literal"],
  state: HealthState,
  threads: DocumentThreads,
): Pages {
  const all = [
    ...(openapi === false ? [] : openApiPages(openapi, input, threads)),
    ...(openapi === false || docs === false ? [] : docsPages(docs, `${openapi}.json`)),
    ...(health === false ? [] : [healthPage(health, state)]),
  ];
  const warnings: string[] = [];
  const pages = all.filter(({ path, about }) => {
    const owner = literal("GET", path) ?? literal("HEAD", path);
    if (owner === undefined) return true;
    const { service, name } = owner.method;
    warnings.push(`${path} is a route of ${service}/${name}: it hides ${about}`);
    return false;
  });
  return { pages, warnings };
}
