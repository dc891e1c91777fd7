// The table of all routes, and the search for a request's route.
import type { DescMethod } from "@bufbuild/protobuf";
import type { Method } from "../../call/call.js";
import { AutoPlan } from "./auto-plan.js";
import type { BindingPlan } from "./binding.js";
import { ANY_METHOD, Matcher, TOO_MANY_CANDIDATES } from "./matcher.js";
import { type RequestPath, splitPath } from "./path.js";

/** All routes, explicit and auto-mapped. */
export class Routes {
  /** Normal form: "" or `/api`. */
  readonly prefix: string;
  readonly plans: BindingPlan[] = [];
  readonly matcher = new Matcher<BindingPlan>();
  /** By path. Used after the matcher: any explicit rule has priority, even a wildcard. */
  readonly auto = new Map<string, BindingPlan>();

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** Returns why it cannot be added. */
  add(plan: BindingPlan): string | undefined {
    const existing = this.matcher.add(plan.httpMethod, plan.template, plan);
    if (existing === TOO_MANY_CANDIDATES)
      return `with ${plan.text} one path would match the beginnings of too many rules: '*' and literals in the same segments, in too many combinations`;
    if (existing !== undefined) {
      return `${plan.httpMethod} ${plan.text} is the same route as ${existing.httpMethod} ${existing.text} of ${fullName(existing.method)}, which is used`;
    }
    this.plans.push(plan);
    return undefined;
  }

  addAuto(method: Method, descriptor: DescMethod): void {
    const plan = this.auto.has(method.path) ? undefined : AutoPlan.of(method, descriptor);
    if (plan === undefined) return;
    this.auto.set(method.path, plan);
    this.plans.push(plan);
  }

  /** The path below the prefix; undefined if it is not below it. */
  pathOf(target: string): string | undefined {
    const question = target.indexOf("?");
    const path = question === -1 ? target : target.slice(0, question);
    if (this.prefix === "") return path.startsWith("/") ? path : undefined;
    return path.startsWith(this.prefix) && path[this.prefix.length] === "/"
      ? path.slice(this.prefix.length)
      : undefined;
  }

  find(httpMethod: string, path: string, split: RequestPath): BindingPlan | undefined {
    const plan = this.matcher.find(httpMethod, split);
    if (plan !== undefined) return plan;
    return httpMethod === "POST" ? this.#auto(path, split) : undefined;
  }

  /**
   * The rule with exactly this path, without wildcards and variables, for this HTTP method or for any. It replaces a
   * page of the hub.
   */
  literal(httpMethod: string, target: string): BindingPlan | undefined {
    const path = this.pathOf(target);
    const split = path === undefined ? undefined : splitPath(path);
    if (split === undefined) return undefined;
    const segments = split.decoded.map((text) => ({ kind: "literal" as const, text }));
    const template = { segments, deepAt: -1, variables: [], verb: undefined };
    return this.matcher.get(httpMethod, template) ?? this.matcher.get(ANY_METHOD, template);
  }

  /** Escapes of unreserved characters mean the same (RFC 3986 §6.2.2.2). */
  #auto(path: string, split: RequestPath): BindingPlan | undefined {
    if (split.decoded === split.raw || split.decoded.some((segment) => segment.includes("/"))) {
      return this.auto.get(path);
    }
    return this.auto.get(`/${split.decoded.join("/")}`);
  }

  /** The methods of the path, for Allow. */
  allowed(path: string, split: RequestPath): string[] {
    const methods = this.matcher.allowed(split);
    if (this.#auto(path, split) !== undefined && !methods.includes("POST")) methods.push("POST");
    return methods.sort();
  }
}

/** `pkg.Service.Method`, as selectors have it. */
export function fullName(method: Method): string {
  return `${method.service}.${method.name}`;
}
