// The config's part of the OpenAPI document: required credentials, and how messages are printed.
import type { JsonObject } from "@bufbuild/protobuf";
import { methodConfig } from "../../config/method-config.js";
import { AccessRules } from "../../interceptors/auth/access-rules.js";
import type { AuthConfig } from "../../interceptors/auth/section.js";
import type { OpenApiInput } from "../../openapi/document.js";
import type { Config } from "../../settings/sections.js";
import type { BuiltRestRouter } from "../../transcoding/rest-router.js";

/** Cheap: the document itself is made on demand. */
export function openApiInput(config: Config, rest: Pick<BuiltRestRouter, "plans" | "prefix">): OpenApiInput {
  const { auth, http, methods } = config;
  const rules = auth === undefined ? undefined : new AccessRules(methods, auth.required);
  return {
    plans: rest.plans,
    prefix: rest.prefix,
    http,
    success: methodConfig(methods)((method) => method?.http),
    securitySchemes: auth && securitySchemes(auth),
    access: (method) => rules?.known(method) ?? { auth: "none", roles: undefined },
  };
}

/** Every kind of credential. */
function securitySchemes({ apiKeys, jwt, mtls }: AuthConfig): JsonObject {
  const schemes: JsonObject = {};
  if (apiKeys !== undefined) {
    schemes.apiKey = { type: "apiKey", in: "header", name: apiKeys.header, description: "An API key." };
  }
  if (jwt.length > 0) {
    const issuers = jwt.map(({ issuer, audiences }) => `- ${issuer}, for ${audiences.join(" or ")}`);
    const description = `A token of one of these issuers:\n\n${issuers.join("\n")}`;
    schemes.jwt = { type: "http", scheme: "bearer", bearerFormat: "JWT", description };
  }
  if (mtls !== undefined) {
    schemes.mtls = {
      type: "mutualTLS",
      description: "A certificate that the listener's clientCa has signed.",
    };
  }
  return schemes;
}
