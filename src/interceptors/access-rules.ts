// What the config's `methods` say of access, resolved for one method: whether a credential is needed, and which roles.

import type { Call, Method } from "../call/call.js";
import type { MethodConfig } from "../config/config.js";
import type { MethodAuth } from "../config/sections/auth.js";
import { selectorsOf } from "../config/selectors.js";

export interface AccessRule {
  readonly auth: MethodAuth;
  /** At least one of them; undefined: no role is asked for. */
  readonly roles: readonly string[] | undefined;
}

/** Kubernetes' probes have no credentials; a config that says anything of the service or method has its way. */
const HEALTH = { service: "grpc.health.v1.Health", path: "/grpc.health.v1.Health/Check" };

export class AccessRules {
  private readonly bySelector = new Map<string, MethodConfig>();
  private readonly general: MethodAuth;

  /** @param required what holds where `methods` says nothing */
  constructor(methods: readonly MethodConfig[], required: boolean) {
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
