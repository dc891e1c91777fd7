// The keys of an upstream that features bring, in the order in which docs and `init` show them. A new feature is a
// `keys.ts` in its room and an entry here.
import type { AllOf, ConfigOf } from "../config/section.js";
import { balancerKeys } from "./balancers/keys.js";
import { type DiscoveryConfig, discoveryKeys } from "./discovery/keys.js";
import { healthKeys } from "./health/keys.js";
import { poolKeys } from "./pool/keys.js";
import { retryKeys, retryKeysOfMethods } from "./retry/policy/keys.js";

export const UPSTREAM_KEYS = [discoveryKeys, poolKeys, balancerKeys, healthKeys, retryKeys] as const;

/** The keys of a method that features bring. */
export const UPSTREAM_KEYS_OF_METHODS = [retryKeysOfMethods] as const;

/** What the features read from an upstream's config. */
export type UpstreamFeatures = Readonly<AllOf<ConfigOf<(typeof UPSTREAM_KEYS)[number]>>>;

/** The values of an upstream that sets none of these keys but `endpoints`, which has no default. */
export const UPSTREAM_DEFAULTS: Omit<UpstreamFeatures, keyof DiscoveryConfig> = Object.assign(
  {},
  ...UPSTREAM_KEYS.flatMap((keys) => (keys === discoveryKeys ? [] : [keys.defaults])),
);
