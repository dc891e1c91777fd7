// What a document is made of, with the defaults of config where a test says nothing.
import type { OpenApiHttp, OpenApiInput } from "#src/openapi/document.js";
import type { BuiltRestRouter } from "#src/transcoding/rest-router.js";

const DEFAULTS: OpenApiHttp = {
  print: {},
  streamFormat: "array",
  emptyAs204: false,
  etag: true,
  errorForm: "status",
  bareSystemParameters: false,
  webSocketOrigins: [],
};

export function inputFor(
  { plans, prefix }: Pick<BuiltRestRouter, "plans" | "prefix">,
  http: Partial<OpenApiHttp> = {},
  more: Partial<OpenApiInput> = {},
): OpenApiInput {
  return {
    plans,
    prefix,
    http: { ...DEFAULTS, ...http },
    success: () => undefined,
    securitySchemes: undefined,
    access: () => ({ auth: "none", roles: undefined }),
    ...more,
  };
}
