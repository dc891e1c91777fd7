// Authorization by roles; runs after authentication.
import type { Call } from "../../call/call.js";
import type { Interceptor } from "../../call/interceptor.js";
import { refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { cut } from "../../kit/text/text.js";
import type { AccessRule, AccessRules } from "./access-rules.js";

/** @param missing the error for an anonymous caller */
export function authorization(rules: AccessRules, missing: Status): Interceptor {
  const decide = (call: Call, { roles }: AccessRule): Status | undefined => {
    if (roles === undefined) return undefined;
    const { identity } = call;
    if (identity === undefined) return missing;
    const owned = identity.roles;
    for (let i = 0; i < roles.length; i++) {
      const role = roles[i];
      if (role !== undefined && owned.includes(role)) return undefined;
    }
    const method = call.path.slice(1);
    const wanted = roles.length === 1 ? `the role ${roles[0]}` : `one of the roles ${roles.join(", ")}`;
    const message = `${method} needs ${wanted}, and ${cut(identity.name, 128)} has none of them`;
    return refusal("MISSING_ROLE", message, { info: { method, roles: roles.join(",") } });
  };
  return {
    name: "authorization",
    plan(method) {
      const ruleOf = rules.forMethod(method);
      return { name: "authorization", start: (call) => decide(call, ruleOf(call)) };
    },
  };
}
