// `auth` and `roles` of `methods`, resolved for one method: whether a credential is required, and which roles.

import type { Call, Method } from "../../call/call.js";
import { featureKeys } from "../../config/section.js";
import { selectorsOf } from "../../config/selectors.js";
import type { Selected } from "../kit/kind.js";
import { roles } from "./section.js";

/** Access keys of `methods`: with `none`, no credential is checked. */
export const METHOD_AUTH = ["none", "optional", "required"] as const;
export type MethodAuth = (typeof METHOD_AUTH)[number];

/** Access of one method; undefined: not configured. */
export interface MethodAccess {
  readonly auth: MethodAuth | undefined;
  /** At least one of them. */
  readonly roles: readonly string[] | undefined;
}

/** `auth` and `roles` of methods. */
export const accessOfMethods = featureKeys({
  defaults: { auth: undefined, roles: undefined } as MethodAccess,
  schema: (kit) => ({
    auth: kit.z
      .enum(METHOD_AUTH, { error: `must be one of ${METHOD_AUTH.join(", ")}` })
      .optional()
      .describe(
        "none: no credential is asked for or looked at; optional or required: as interceptors.auth.required says for all.",
      )
      .meta({ examples: ["required"] }),
    roles: roles(kit)
      .min(1, { error: "must name at least one role" })
      .optional()
      .describe("The caller must have at least one of these."),
  }),
  check: ({ auth, roles }) =>
    auth === "none" && roles !== undefined
      ? {
          key: "auth",
          message: "must not have auth: none and roles: a caller without identity has no role",
        }
      : undefined,
  read({ auth, roles }, at) {
    const section = ["interceptors", "auth"];
    if (at.whole.intact(section) && at.whole.value(section) === undefined) {
      if (roles !== undefined) at.wrong(["roles"], "needs interceptors.auth: without it nobody has a role");
      if (auth !== undefined && auth !== "none")
        at.wrong(["auth"], "needs interceptors.auth: without it everybody may call, with any credential");
    }
    return { auth, roles };
  },
});

export interface AccessRule {
  readonly auth: MethodAuth;
  /** At least one of them; undefined: no role is required. */
  readonly roles: readonly string[] | undefined;
}

/** Kubernetes' probes have no credentials; a config for the service or method overrides this. */
const HEALTH = { service: "grpc.health.v1.Health", path: "/grpc.health.v1.Health/Check" };

export class AccessRules {
  private readonly bySelector = new Map<string, Selected<MethodAccess>>();
  private readonly general: MethodAuth;

  /** @param required the default for methods without configuration */
  constructor(methods: readonly Selected<MethodAccess>[], required: boolean) {
    for (const method of methods) this.bySelector.set(method.selector, method);
    this.general = required ? "required" : "optional";
  }

  /**
   * Finds the rule for a call to this method. A method without a schema is looked up by its path: a rule applies before
   * the hub has learned the method, and to other spellings of its name, since some servers accept `/a.B/get` for
   * `/a.B/Get`.
   */
  forMethod(method: Method): (call: Call) => AccessRule {
    const { service, name } = method;
    if (name !== "_OTHER") {
      const rule = this.rule(service, name);
      return () => rule;
    }
    const general = this.rule(service, undefined);
    const special = new Map<string, AccessRule>();
    for (const selector of this.bySelector.keys()) {
      const slash = selector.indexOf("/");
      if (slash < 0 || selector.slice(0, slash) !== service) continue;
      special.set(`/${selector}`.toLowerCase(), this.rule(service, selector.slice(slash + 1)));
    }
    if (service === HEALTH.service && !special.has(HEALTH.path.toLowerCase())) {
      special.set(HEALTH.path.toLowerCase(), this.rule(service, "Check"));
    }
    if (special.size === 0) return () => general;
    return (call) => special.get(call.path.toLowerCase()) ?? general;
  }

  /** The rule of a method with a schema. */
  known({ service, name }: Pick<Method, "service" | "name">): AccessRule {
    return this.rule(service, name);
  }

  private rule(service: string, name: string | undefined): AccessRule {
    let auth: MethodAuth | undefined;
    let roles: readonly string[] | undefined;
    // The most specific key has priority: `none` overrides roles of a wider key, roles override its `none`.
    for (const selector of selectorsOf(service, name)) {
      const said = this.bySelector.get(selector);
      if (said?.auth === "none" && roles !== undefined) continue;
      auth ??= said?.auth;
      if (auth === "none") return { auth, roles: undefined };
      roles ??= said?.roles;
    }
    if (auth === undefined && roles === undefined && `/${service}/${name}` === HEALTH.path)
      return { auth: "none", roles: undefined };
    return { auth: auth ?? this.general, roles };
  }
}
