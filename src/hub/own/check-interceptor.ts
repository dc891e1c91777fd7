// Checks a program's interceptor when it is given and when it plans: no compiler checks programs in JavaScript, and a
// policy with a misspelled function would admit every call.
import type { Interceptor, InterceptorContext, Step } from "../../call/interceptor.js";
import { Code, Status } from "../../call/status/status.js";
import { kindOf } from "../../kit/text/kind-of.js";
import { didYouMean } from "../../kit/text/nearest.js";
import { UserError } from "../../kit/text/user-error.js";
import type { InterceptorMaker, OwnInterceptor, PlacedInterceptor } from "./own-interceptors.js";
import { within } from "./within.js";

/** An interceptor that takes longer to be made is considered hung. */
export const MAKING_MS = 30_000;
/** Names of interceptors appear in messages and lists. */
const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const PLACED_KEYS = ["interceptor", "before", "after"];
const STEP_FUNCTIONS = ["start", "around", "end"] as const;
/** Those that are objects, and the functions that they have. */
const STEP_OBJECTS = {
  messages: ["request", "requestEnd", "response"],
  attempts: ["begin", "headers", "end"],
} as const;
const STEP_KEYS = [...STEP_FUNCTIONS, "messages", "attempts"] as const;

/**
 * One entry of `use`, made and placed. Rejects with a UserError that says what is missing.
 * @param at its index
 */
export async function checkInterceptor(
  one: OwnInterceptor,
  at: number,
  context: InterceptorContext,
): Promise<Pick<PlacedInterceptor, "before" | "after"> & { readonly interceptor: Interceptor }> {
  const where = `use[${at}]`;
  checkObject(one, where);
  if (!("interceptor" in one)) {
    const interceptor = await made(one, where, context);
    // A nested place would be ignored.
    for (const key of ["before", "after"])
      if (key in one)
        throw new UserError(
          `interceptor "${interceptor.name}": ${key} stands beside it, as in { interceptor, ${key} }`,
        );
    return { interceptor };
  }
  for (const key of Object.keys(one)) {
    if (PLACED_KEYS.includes(key)) continue;
    throw new UserError(`${where}.${key}: unknown key${didYouMean(key, PLACED_KEYS)}`);
  }
  const { interceptor, before, after } = one;
  return { interceptor: await made(interceptor, `${where}.interceptor`, context), before, after };
}

async function made(
  one: Interceptor | InterceptorMaker,
  where: string,
  context: InterceptorContext,
): Promise<Interceptor> {
  checkObject(one, where);
  if (!("make" in one)) {
    checkName(one, where);
    return one;
  }
  if (typeof one.make !== "function")
    throw new UserError(
      `${where}.make must be a function that returns an interceptor, not ${kindOf(one.make)}`,
    );
  const interceptor = await within(MAKING_MS, one.make(context), `${where}.make`);
  checkObject(interceptor, `what ${where}.make returns`);
  checkName(interceptor, `what ${where}.make returns`);
  return interceptor;
}

function checkObject(one: unknown, where: string): void {
  if (typeof one === "object" && one !== null) return;
  throw new UserError(`${where} is an object with a name and plan(method), not ${kindOf(one)}`);
}

function checkName(one: Interceptor, where: string): void {
  const { name, plan }: { readonly name: unknown; readonly plan: unknown } = one;
  if (typeof name !== "string" || !NAME.test(name)) {
    throw new UserError(
      `interceptor ${typeof name === "string" ? JSON.stringify(name) : where}: a name has 1 to 63 characters of a-z, 0-9 and -, and begins with a letter`,
    );
  }
  if (typeof plan !== "function") {
    throw new UserError(
      `interceptor "${name}": plan(method) must be a function that returns the step of a method, as in { name, start }; it is ${kindOf(plan)}`,
    );
  }
}

/** The result of `plan`, or a UserError that says what it must be. */
export function checkStep(name: string, step: Step | undefined | null): Step | undefined {
  if (step === undefined || step === null) return undefined;
  const wrong = (what: string): UserError => new UserError(`interceptor "${name}": ${what}`);
  if (typeof step !== "object" || "then" in step) {
    throw wrong(`plan returns a step at once, or nothing, not ${kindOf(step)}`);
  }
  for (const key of STEP_FUNCTIONS) {
    const value: unknown = step[key];
    if (value !== undefined && typeof value !== "function")
      throw wrong(`${key} of a step must be a function, not ${kindOf(value)}`);
  }
  for (const key of ["messages", "attempts"] as const) {
    const problem = step[key] === undefined ? undefined : hooksProblem(step[key], STEP_OBJECTS[key]);
    if (problem !== undefined) throw wrong(`${key} of a step ${problem}`);
  }
  if (STEP_KEYS.every((key) => step[key] === undefined)) {
    const [key] = Object.keys(step).filter((key) => key !== "name");
    const hint = key === undefined ? "" : didYouMean(key, STEP_KEYS);
    throw wrong(
      `a step has start, messages, around, end or attempts, and this one has none${hint}: return nothing from plan where it has nothing to do`,
    );
  }
  return step;
}

/** The problem of an object of functions; continues a sentence. */
function hooksProblem(hooks: object, names: readonly string[]): string | undefined {
  const list = names.join(", ");
  if (typeof hooks !== "object" || hooks === null)
    return `must be an object with some of ${list}, not ${kindOf(hooks)}`;
  const given = names.filter((name) => Reflect.get(hooks, name) !== undefined);
  for (const name of given) {
    const value: unknown = Reflect.get(hooks, name);
    if (typeof value !== "function") return `have ${name}, which must be a function, not ${kindOf(value)}`;
  }
  if (given.length > 0) return undefined;
  const [other] = Object.keys(hooks);
  return `must have some of ${list}${other === undefined ? "" : didYouMean(other, names)}`;
}

/**
 * The problem of a verdict that is neither undefined nor a Status that rejects; undefined: none.
 * @param what the function that returned it, e.g. `start`
 */
export function verdictProblem(what: string, verdict: unknown): string | undefined {
  if (!(verdict instanceof Status)) return `${what} answers nothing or a Status, not ${kindOf(verdict)}`;
  const { code, http } = verdict;
  if (code === Code.OK) return `${what} refused with a Status of code OK: to admit a call, return nothing`;
  if (!Number.isInteger(code) || code < 0 || code > Code.UNAUTHENTICATED)
    return `${what} refused with a Status of code ${String(code)}: codes are 1 to 16`;
  if (!Number.isInteger(http) || http < 200 || http > 599)
    return `${what} refused with a Status of http ${String(http)}: an answer has 200 to 599`;
  return undefined;
}
