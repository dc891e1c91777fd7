// Balancers and sources of endpoints by their names in the config: the hub's, and those added by a program.
import { systemClock } from "../kit/clock.js";
import type { BalancerFactory } from "./balancers/balancer.js";
import { BALANCERS } from "./balancers/balancers.js";
import type { EndpointSource, SourceContext, SourceFactory } from "./discovery/endpoint-source.js";
import { openSource, SOURCES } from "./discovery/sources.js";

/** What a program adds, under names that the hub does not use. */
export interface OwnParts {
  readonly balancers?: Readonly<Record<string, BalancerFactory>> | undefined;
  /** By the scheme of their targets. */
  readonly sources?: Readonly<Record<string, SourceFactory>> | undefined;
}

/** @param name that the config accepts */
export function balancerOf(name: string, { balancers = {} }: OwnParts = {}): BalancerFactory {
  const all: Readonly<Record<string, BalancerFactory>> = { ...BALANCERS, ...balancers };
  const factory = Object.hasOwn(all, name) ? all[name] : undefined;
  if (factory === undefined) throw new Error(`there is no balancer ${name}`);
  return factory;
}

/** Throws a UserError if the target is malformed. */
export function sourceOf(
  target: string,
  context: SourceContext,
  { sources = {} }: OwnParts = {},
): EndpointSource {
  return openSource(target, context, { ...SOURCES, ...sources });
}

/** Whether a source of the program is for the target. Throws a UserError if one is, and the target is malformed. */
export function isOwnTarget(target: string, own: OwnParts): boolean {
  const scheme = target.slice(0, Math.max(0, target.indexOf(":")));
  if (!Object.hasOwn(own.sources ?? {}, scheme)) return false;
  sourceOf(target, { clock: systemClock, random: Math.random }, own);
  return true;
}
