// `auth` and `roles` of methods, resolved for one method: whether a credential is needed, and which roles.

import type { Call, Method } from "../../call/call.js";
import { featureKeys } from "../../config/section.js";
import { selectorsOf } from "../../config/selectors.js";
import type { Selected } from "../kit/kind.js";
import { roles } from "./section.js";

/** What `methods` says of access: `none` looks at no credential at all. */
export const METHOD_AUTH = ["none", "optional", "required"] as const;
export type MethodAuth = (typeof METHOD_AUTH)[number];

/** What `methods` says of who may call; undefined: nothing. */
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
  /** At least one of them; undefined: no role is asked for. */
  readonly roles: readonly string[] | undefined;
}

/** Kubernetes' probes have no credentials; a config that says anything of the service or method has its way. */
const HEALTH = { service: "grpc.health.v1.Health", path: "/grpc.health.v1.Health/Check" };

export class AccessRules {
  private readonly bySelector = new Map<string, Selected<MethodAccess>>();
  private readonly general: MethodAuth;

  /** @param required what holds where `methods` says nothing */
  constructor(methods: readonly Selected<MethodAccess>[], required: boolean) {
    for (const method of methods) this.bySelector.set(method.selector, method);
    this.general = required ? "required" : "optional";
  }

  /**
   * How to find the rule of a call to this method. One that no schema knows is looked up by its path: a rule holds
   * for a method before the hub has learned of it, and for other spellings of its name, as some servers take
   * `/a.B/get` for `/a.B/Get`.
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

  /** What holds for a method that a schema knows. */
  known({ service, name }: Pick<Method, "service" | "name">): AccessRule {
    return this.rule(service, name);
  }

  private rule(service: string, name: string | undefined): AccessRule {
    let auth: MethodAuth | undefined;
    let roles: readonly string[] | undefined;
    // The nearer word wins: `none` lifts the roles of what is around it, roles lift the `none` around them.
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
