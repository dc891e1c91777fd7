// Modules with interceptors that a config names (`use`): loaded before a start and a reload, since that takes time;
// then made into interceptors with the same context as all others.
import type { Interceptor, InterceptorContext } from "../../call/interceptor.js";
import { type ConfigError, formatError, formatErrors } from "../../config/config-error.js";
import type { ModuleUse } from "../../config/module-use.js";
import { systemClock } from "../../kit/clock.js";
import type { Log } from "../../kit/log.js";
import { NO_METERS } from "../../kit/meters.js";
import { Retained } from "../../kit/retained.js";
import { kindOf } from "../../kit/text/kind-of.js";
import { UserError } from "../../kit/text/user-error.js";
import { FEATURES } from "../../settings/features.js";
import type { Config } from "../../settings/sections.js";
import { checkInterceptor, MAKING_MS } from "./check-interceptor.js";
import { hasChanged, loadModule } from "./load-module.js";
import { ownInterceptors, type PlacedInterceptor, placesOf } from "./own-interceptors.js";
import { within } from "./within.js";

type Maker = (options: unknown, context: InterceptorContext) => unknown;

/** What the modules of configs export. */
const makers = new WeakMap<ModuleUse, Maker>();

/**
 * Loads the modules of a config; errors are a UserError with a line for each. A module that was loaded before is the
 * same again, even if its file has changed.
 */
export async function loadModules({ use }: Pick<Config, "use">): Promise<void> {
  const errors = await modulesErrors(use);
  if (errors.length > 0) throw new UserError(formatErrors(errors));
}

/** Modules of a config whose files have changed since they were loaded, a sentence each. */
export function changedModules({ use }: Pick<Config, "use">): string[] {
  const files = new Map(use.map(({ file, name }) => [file, name]));
  return [...files]
    .filter(([file]) => hasChanged(file))
    .map(
      ([, name]) =>
        `${name} has changed since it was loaded: that takes effect when the hub is started again`,
    );
}

/**
 * Loads the modules of a config, and makes their interceptors without a hub; returns errors in the order of the file.
 */
export async function checkModules({ use }: Pick<Config, "use">): Promise<readonly ConfigError[]> {
  const errors = await modulesErrors(use);
  if (errors.length > 0) return errors;
  const log: Log = { info: () => {}, warn: () => {}, error: () => {} };
  const retained = new Retained();
  const context = { clock: systemClock, log, retained, meters: NO_METERS };
  retained.begin();
  try {
    for (const one of use) {
      const problem = await ownInterceptors([placed(one)], placesOf(FEATURES.interceptors), context).then(
        () => undefined,
        problemOf,
      );
      if (problem !== undefined) errors.push({ ...one.at, message: problem });
    }
  } finally {
    retained.rollback();
    retained.close();
  }
  return errors;
}

function problemOf(error: unknown): string {
  return error instanceof ModuleError ? error.problem : messageOf(error);
}

async function modulesErrors(use: readonly ModuleUse[]): Promise<ConfigError[]> {
  const errors: ConfigError[] = [];
  for (const one of use) {
    try {
      makers.set(one, await load(one));
    } catch (error) {
      errors.push({ ...one.at, message: messageOf(error) });
    }
  }
  return errors;
}

/** Rejects with an error whose message describes the module's problem. */
async function load({ file, name }: ModuleUse): Promise<Maker> {
  const { default: maker } = await loadModule(file, name).catch((error: unknown) => {
    throw new UserError(`${name} ${messageOf(error)}`, { cause: error });
  });
  if (isMaker(maker)) return maker;
  const example = "as in: export default (options, context) => ({ name, plan })";
  if (maker === undefined)
    throw new UserError(`${name} has no default export: it must be a function, ${example}`);
  throw new UserError(`the default export of ${name} must be a function, ${example}; it is ${kindOf(maker)}`);
}

function isMaker(value: unknown): value is Maker {
  return typeof value === "function";
}

/** An error of the module, not of its caller, while it made its interceptor. */
class ModuleError extends UserError {
  readonly problem: string;

  constructor(at: ConfigError, options?: ErrorOptions) {
    super(formatError(at), options);
    this.problem = at.message;
  }
}

/** In the form in which a program gives it. */
export function placed(use: ModuleUse): PlacedInterceptor {
  const { before, after } = use;
  return { interceptor: { make: (context) => made(use, context) }, before, after } as PlacedInterceptor; // the section checks the places
}

/** Rejects with a UserError with the module's position in the file, and the problem. */
async function made(use: ModuleUse, context: InterceptorContext): Promise<Interceptor> {
  const maker = makers.get(use);
  const wrong = (message: string, options?: ErrorOptions): ModuleError =>
    new ModuleError({ ...use.at, message }, options);
  if (maker === undefined) throw wrong(`${use.name} was not loaded`);
  let interceptor: unknown;
  try {
    interceptor = await within(MAKING_MS, maker(use.options, context), "making its interceptor");
  } catch (error) {
    throw wrong(`${use.name}: ${messageOf(error)}`, { cause: error });
  }
  if (isInterceptor(interceptor)) {
    try {
      return (await checkInterceptor(interceptor, 0, context)).interceptor;
    } catch (error) {
      throw wrong(messageOf(error), { cause: error });
    }
  }
  const is =
    typeof interceptor === "object" && interceptor !== null ? "an object without them" : kindOf(interceptor);
  throw wrong(
    `${use.name} must return an interceptor, an object with a name and a function plan(method), not ${is}`,
  );
}

function isInterceptor(value: unknown): value is Interceptor {
  if (typeof value !== "object" || value === null) return false;
  return typeof Reflect.get(value, "name") === "string" && typeof Reflect.get(value, "plan") === "function";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
