// Calls to services without a route, if an upstream takes them: their plans, and which of them are rejected.
import type { Method } from "../call/call.js";
import type { Interceptor } from "../call/interceptor.js";
import { type Plan, plan } from "../call/pipeline.js";
import { isRoutable } from "../call/routable.js";
import type { Handler } from "../call/sink.js";

/** Characters of a package's name in a config: a longer one is never configured. */
const MAX_PACKAGE_CHARS = 512;

/** The handler for services without a route. */
export interface TakesOthers {
  readonly handler: Handler;
  /** Packages that the config names: their config applies to unknown services, too. */
  readonly packages: readonly string[];
}

export class CatchAll {
  readonly #plan: Plan;
  /** By the package's name, folded. */
  readonly #packages = new Map<string, Plan>();
  /** Names of services that have a route, folded. */
  readonly #known = new Set<string>();

  /**
   * @param known names of the services with routes
   * @param methodOf the method that stands for all of a service; `pkg.*` is for those below a package, `*` for all
   */
  constructor(
    { handler, packages }: TakesOthers,
    interceptors: readonly Interceptor[],
    known: Iterable<string>,
    methodOf: (service: string) => Method,
    maxMessageBytes: number,
  ) {
    this.#plan = plan(methodOf("*"), interceptors, handler, maxMessageBytes);
    for (const name of packages)
      this.#packages.set(
        name.toLowerCase(),
        plan(methodOf(`${name}.*`), interceptors, handler, maxMessageBytes),
      );
    for (const service of known) this.#known.add(service.toLowerCase());
  }

  /**
   * The plan of a call to a service without a route. undefined: rejected, since it is a service of the hub, or another
   * spelling of one with a route: some servers ignore case, and a service's config must apply however its name is
   * written.
   */
  find(service: string): Plan | undefined {
    const folded = service.toLowerCase();
    if (!isRoutable(folded) || this.#known.has(folded)) return undefined;
    if (this.#packages.size > 0)
      for (
        let dot = folded.lastIndexOf(".", MAX_PACKAGE_CHARS);
        dot > 0;
        dot = folded.lastIndexOf(".", dot - 1)
      ) {
        const found = this.#packages.get(folded.slice(0, dot));
        if (found !== undefined) return found;
      }
    return this.#plan;
  }
}
