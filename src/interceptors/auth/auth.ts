// Authentication: tries the configured kinds of credential in order, and sets the call's identity.

import type { Call, Identity } from "../../call/call.js";
import type { MetadataNames } from "../../call/http-policy.js";
import type { Interceptor, InterceptorContext } from "../../call/interceptor.js";
import { Status } from "../../call/status/status.js";
import { upstreamNames } from "../../call/upstream-names.js";
import type { Selected } from "../kit/kind.js";
import { AccessRules, type MethodAccess } from "./access-rules.js";
import { apiKeyAuthenticator } from "./api-key.js";
import type { Authenticator, AuthResult } from "./authenticator.js";
import { authorization } from "./authorization.js";
import { identityHeaderWriter } from "./identity-headers.js";
import { jwtAuthenticator } from "./jwt.js";
import { mtlsAuthenticator } from "./mtls.js";
import { missingCredentials } from "./refusals.js";
import type { AuthConfig } from "./section.js";

/**
 * Both steps in order: authentication and authorization. Throws a UserError if a key file is invalid.
 * @param names under which names services get a client's fields
 * @param wallClock milliseconds since the Unix epoch; default: that of the context
 */
export function auth(
  config: AuthConfig,
  methods: readonly Selected<MethodAccess>[],
  context: InterceptorContext,
  names: Pick<MetadataNames, "standardPrefix">,
  wallClock: () => number = () => context.clock.wallTime(),
): readonly Interceptor[] {
  const missing = missingCredentials(authenticatorsOf(config, context, wallClock));
  return [
    authentication(config, methods, context, names, wallClock),
    authorization(new AccessRules(methods, config.required), missing),
  ];
}

/** The authenticators of the config, in the order in which they are tried. */
export function authenticatorsOf(
  config: AuthConfig,
  context: InterceptorContext,
  wallClock: () => number = () => context.clock.wallTime(),
): readonly Authenticator[] {
  const authenticators: Authenticator[] = [];
  if (config.apiKeys !== undefined) authenticators.push(apiKeyAuthenticator(config.apiKeys, context));
  if (config.jwt.length > 0) authenticators.push(jwtAuthenticator(config.jwt, context, wallClock));
  if (config.mtls !== undefined) authenticators.push(mtlsAuthenticator(config.mtls));
  return authenticators;
}

/** Authentication. Parameters and errors as those of `auth`. */
export function authentication(
  config: AuthConfig,
  methods: readonly Selected<MethodAccess>[],
  context: InterceptorContext,
  names: Pick<MetadataNames, "standardPrefix">,
  wallClock: () => number = () => context.clock.wallTime(),
): Interceptor {
  const authenticators = authenticatorsOf(config, context, wallClock);
  const rules = new AccessRules(methods, config.required);
  const missing = missingCredentials(authenticators);
  const withheld = withheldNames(config, names);
  const tell = identityHeaderWriter(config.forward);

  const withhold = ({ headers }: Call): void => {
    for (let i = 0; i < withheld.length; i++) headers.delete(withheld[i] ?? "");
  };
  const admit = (call: Call, identity: Identity | undefined, required: boolean): Status | undefined => {
    if (identity === undefined) {
      if (required) return missing;
    } else {
      call.identity = identity;
      tell?.(call, identity);
    }
    withhold(call);
    return undefined;
  };
  /** Continues after an authenticator that had to wait. */
  const resume = async (
    call: Call,
    required: boolean,
    first: Identity | undefined,
    pending: Promise<AuthResult>,
    next: number,
  ): Promise<Status | undefined> => {
    let identity = first;
    let answer = await pending;
    for (let i = next; ; i++) {
      if (answer instanceof Status) return answer;
      identity ??= answer;
      const authenticator = authenticators[i];
      if (authenticator === undefined) return admit(call, identity, required);
      answer = await authenticator.check(call);
    }
  };

  return {
    name: "auth",
    plan(method) {
      const ruleOf = rules.forMethod(method);
      return {
        name: "auth",
        start(call) {
          const rule = ruleOf(call);
          if (rule.auth === "none") {
            withhold(call);
            return undefined;
          }
          const required = rule.auth === "required";
          let identity: Identity | undefined;
          // All of them: an invalid credential is rejected even beside a valid one, since the service may use it.
          for (let i = 0; i < authenticators.length; i++) {
            const answer = authenticators[i]?.check(call);
            if (answer === undefined) continue;
            if (answer instanceof Promise) return resume(call, required, identity, answer, i + 1);
            if (answer instanceof Status) return answer;
            identity ??= answer;
          }
          return admit(call, identity, required);
        },
      };
    },
  };
}

/**
 * Fields that are withheld from services, under each name that the hub would give them: above all an API key, since it
 * opens other services.
 */
function withheldNames(
  { apiKeys, forward }: AuthConfig,
  names: Pick<MetadataNames, "standardPrefix">,
): readonly string[] {
  const withheld = forward.authorization ? [] : ["authorization"];
  if (apiKeys !== undefined) withheld.push(apiKeys.header);
  return withheld.flatMap((name) => upstreamNames(name, names));
}
