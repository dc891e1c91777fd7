// The table of all routes, and how a request finds its one.
import type { DescMethod } from "@bufbuild/protobuf";
import type { Method } from "../core/call.js";
import { type BindingPlan, planBinding } from "./binding.js";
import { Matcher } from "./matcher.js";
import type { RequestPath } from "./path.js";

/** All routes, explicit and auto-mapped. */
export class Routes {
  /** Normal form: "" or `/api`. */
  readonly prefix: string;
  readonly plans: BindingPlan[] = [];
  readonly matcher = new Matcher<BindingPlan>();
  /** By path. Asked after the matcher: any explicit rule beats them, be it a wildcard. */
  readonly auto = new Map<string, BindingPlan>();

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** Returns why it cannot be added. */
  add(plan: BindingPlan): string | undefined {
    const existing = this.matcher.add(plan.httpMethod, plan.template, plan);
    if (existing !== undefined) {
      return `${plan.httpMethod} ${plan.text} is the same route as ${existing.httpMethod} ${existing.text} of ${fullName(existing.method)}`;
    }
    this.plans.push(plan);
    return undefined;
  }

  addAuto(method: Method, descriptor: DescMethod): void {
    const plan = planBinding(
      method,
      descriptor,
      { httpMethod: "POST", template: method.path, body: "*", responseBody: "", additionalBindings: [] },
      "auto",
    );
    // Names of services and methods are always valid literals.
    if (typeof plan === "string" || this.auto.has(method.path)) return;
    this.auto.set(method.path, plan);
    this.plans.push(plan);
  }

  /** The path below the prefix; undefined where it is not below it. */
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
    return httpMethod === "POST" ? this.auto.get(path) : undefined;
  }

  /** The methods that the path knows, for Allow. */
  allowed(path: string, split: RequestPath): string[] {
    const methods = this.matcher.allowed(split);
    if (this.auto.has(path) && !methods.includes("POST")) methods.push("POST");
    return methods.sort();
  }
}

/** `pkg.Service.Method`, as selectors have it. */
export function fullName(method: Method): string {
  return `${method.service}.${method.name}`;
}
