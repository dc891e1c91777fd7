// Authentication, authorization and identity headers: three of the hub's interceptors, with one section of the config.
import type { InterceptorKind } from "../kit/kind.js";
import { AccessRules, accessOfMethods, type MethodAccess } from "./access-rules.js";
import { authentication, authenticatorsOf } from "./auth.js";
import { authorization } from "./authorization.js";
import { identityHeaders } from "./identity-headers.js";
import { missingCredentials } from "./refusals.js";
import { type AuthConfig, authSection } from "./section.js";

type Config = AuthConfig | undefined;

export const identityHeadersKind = {
  key: "auth",
  name: "identity-headers",
  place: "auth",
  make: (config) => identityHeaders(config),
} as const satisfies InterceptorKind<Config>;

export const authenticationKind = {
  key: "auth",
  name: "auth",
  place: "auth",
  section: authSection,
  methodKeys: accessOfMethods,
  make: (config, methods, context) =>
    config && authentication(config, methods, context, context.metadataNames),
} as const satisfies InterceptorKind<Config, MethodAccess>;

export const authorizationKind = {
  key: "auth",
  name: "authorization",
  place: "authorization",
  make: (config, methods, context) =>
    config &&
    authorization(
      new AccessRules(methods, config.required),
      missingCredentials(authenticatorsOf(config, context)),
    ),
} as const satisfies InterceptorKind<Config, MethodAccess>;
