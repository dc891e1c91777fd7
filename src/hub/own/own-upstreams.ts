// Balancers and sources of endpoints that a program adds: their names are checked when the hub starts, and what they return
// when they return it. No compiler checks programs in JavaScript.
import { formatAddress, parseEndpointAddress } from "../../config/address.js";
import { kindOf } from "../../kit/text/kind-of.js";
import { UserError } from "../../kit/text/user-error.js";
import type { BalancedEndpoint, Balancer, BalancerFactory } from "../../upstream/balancers/balancer.js";
import { BALANCERS } from "../../upstream/balancers/balancers.js";
import type {
  EndpointInfo,
  EndpointSource,
  SourceFactory,
} from "../../upstream/discovery/endpoint-source.js";
import { SOURCES } from "../../upstream/discovery/sources.js";
import type { OwnParts } from "../../upstream/own-parts.js";
import type { BalancerEndpoint, BalancerMaker, SourceMaker } from "./program-upstreams.js";

const BALANCER_NAME = /^[a-z][a-z0-9_]{0,62}$/;
/** RFC 3986 §3.1. */
const SCHEME = /^[a-z][a-z0-9+.-]{0,62}$/;
const OBSERVES = ["begin", "headers", "end"] as const;

/** undefined: there are none. Throws a UserError that says which is wrong, and how. */
export function ownParts(
  balancers: Readonly<Record<string, BalancerMaker>>,
  sources: Readonly<Record<string, SourceMaker>>,
): OwnParts | undefined {
  check("balancers", balancers, BALANCER_NAME, BALANCERS);
  check("sources", sources, SCHEME, SOURCES);
  if (Object.keys({ ...balancers, ...sources }).length === 0) return undefined;
  return {
    balancers: mapped(balancers, balancerOf),
    sources: mapped(sources, sourceOf),
  };
}

function mapped<T, U>(all: Readonly<Record<string, T>>, map: (name: string, one: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(all).map(([name, one]) => [name, map(name, one)]));
}

function check(key: string, given: unknown, names: RegExp, hubs: object): void {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new UserError(`${key} must be an object with functions by their names, not ${kindOf(given)}`);
  for (const [name, maker] of Object.entries(given)) {
    const where = `${key}.${name}`;
    if (!names.test(name)) throw new UserError(`${where}: a name must match ${names.source}`);
    if (Object.hasOwn(hubs, name)) throw new UserError(`${where}: the hub has one of that name`);
    if (typeof maker !== "function") throw new UserError(`${where} must be a function, not ${kindOf(maker)}`);
  }
}

function balancerOf(name: string, make: BalancerMaker): BalancerFactory {
  return <E extends BalancedEndpoint>(context: Parameters<BalancerFactory>[0]): Balancer<E> => {
    const { clock, random } = context;
    const own = make({ clock, random });
    requireFunctions(own, ["update", "pick"], `balancer "${name}"`);
    let byOwn = new Map<BalancerEndpoint, E>();
    const balancer: Balancer<E> = {
      update(endpoints) {
        byOwn = new Map(endpoints.map((endpoint) => [endpoint, endpoint]));
        own.update(endpoints);
      },
      pick(attempt, usable) {
        const picked = own.pick(attempt, (endpoint) => {
          const known = byOwn.get(endpoint);
          return known !== undefined && usable(known);
        });
        if (picked === undefined || picked === null) return undefined;
        const endpoint = byOwn.get(picked);
        if (endpoint !== undefined && usable(endpoint)) return endpoint;
        throw new TypeError(`balancer "${name}": pick must return an endpoint that is usable, or undefined`);
      },
    };
    for (const key of OBSERVES)
      if (own[key] !== undefined) Object.assign(balancer, { [key]: own[key].bind(own) });
    if (own.close !== undefined) balancer.close = () => own.close?.();
    return balancer;
  };
}

function sourceOf(name: string, make: SourceMaker): SourceFactory {
  return (target, { clock, random }): EndpointSource => {
    const own = make(target, { clock, random });
    requireFunctions(own, ["watch"], `source "${name}"`);
    return {
      watch(watcher) {
        const watch = own.watch({
          endpoints(all, problem) {
            const wrong = problemOf(all);
            if (wrong === undefined) watcher.endpoints(all, problem);
            else watcher.problem(`source "${name}": ${wrong}`);
          },
          problem: (text) => watcher.problem(String(text)),
        });
        requireFunctions(watch, ["close"], `what watch of source "${name}" returns`);
        return watch;
      },
    };
  };
}

/** What is wrong with a list; undefined: nothing. */
function problemOf(all: unknown): string | undefined {
  if (!Array.isArray(all)) return `endpoints must be a list, not ${kindOf(all)}`;
  for (const [i, one] of all.entries())
    if (!isEndpoint(one)) return `endpoints[${i}] must be { host, port } or { path }`;
  return undefined;
}

function isEndpoint(one: unknown): one is EndpointInfo {
  if (typeof one !== "object" || one === null) return false;
  const {
    host,
    port,
    path,
    weight = 1,
    priority = 0,
    zone = "",
  }: Readonly<Record<string, unknown>> = { ...one };
  if (![weight, priority].every((number) => Number.isInteger(number) && Number(number) >= 0)) return false;
  if (typeof zone !== "string") return false;
  if (typeof path === "string") return parseEndpointAddress(`unix:${path}`).ok;
  return (
    typeof host === "string" &&
    typeof port === "number" &&
    parseEndpointAddress(formatAddress({ host, port })).ok
  );
}

function requireFunctions(given: unknown, names: readonly string[], what: string): void {
  for (const name of names)
    if (typeof Reflect.get(Object(given), name) !== "function")
      throw new UserError(`${what} must have a function ${name}`);
}
