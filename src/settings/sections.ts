// All sections of linchpin.yaml, in the order in which it shows them: those of the hub, and those that features bring.
import type * as z from "zod";
import type { Kit } from "../config/kit.js";
import {
  type AllOf,
  type ConfigOf,
  type FeatureKeys,
  type SchemaOf,
  type Section,
  type ShapeOf,
  section,
} from "../config/section.js";
import type { InterceptorKind } from "../interceptors/kit/kind.js";
import { UPSTREAM_KEYS_OF_METHODS } from "../upstream/upstream-keys.js";
import { FEATURES, type Features } from "./features.js";
import { httpSection } from "./sections/http.js";
import {
  drainSection,
  errorsSection,
  readinessSection,
  reflectionSection,
  schemaCacheSection,
  trustedProxiesSection,
  zoneSection,
} from "./sections/hub.js";
import { limitsSection } from "./sections/limits.js";
import { adminSection, listenSection } from "./sections/listen.js";
import { httpKeysOfMethods, methodsSection } from "./sections/methods.js";
import { upstreamsSection } from "./sections/upstreams.js";
import { useSection } from "./sections/use.js";

type Kinds = (typeof FEATURES)["interceptors"][number];
type WithSection = Extract<Kinds, { readonly section: Section }>;
type InterceptorShape = { [K in WithSection as K["key"]]: SchemaOf<K["section"]> };
type InterceptorConfigs = { readonly [K in WithSection as K["key"]]: ConfigOf<K["section"]> };

/** Of `methods`, in addition to those of interceptors. */
const OTHER_METHOD_KEYS = [...UPSTREAM_KEYS_OF_METHODS, httpKeysOfMethods] as const;
type AllMethodKeys =
  | Extract<Kinds, { readonly methodKeys: FeatureKeys }>["methodKeys"]
  | (typeof OTHER_METHOD_KEYS)[number];
type MethodShape = ShapeOf<AllMethodKeys>;
type MethodSettings = AllOf<ConfigOf<AllMethodKeys>>;

/** By their keys under `interceptors`. */
function interceptorSections(kinds: readonly InterceptorKind[]): readonly [key: string, of: Section][] {
  return kinds.flatMap(({ key, section }) => (section === undefined ? [] : [[key, section]]));
}

function interceptorsSection(kinds: readonly InterceptorKind[]) {
  const all = interceptorSections(kinds);
  const defaults = Object.fromEntries(all.map(([key, { defaults }]) => [key, defaults]));
  return section({
    defaults: defaults as InterceptorConfigs, // as the types of the list say, here and below
    secrets: all.flatMap(([key, { secrets = [] }]) => secrets.map((path) => `${key}.${path}`)),
    unquoted: all.flatMap(([key, { unquoted = [] }]) => unquoted.map((path) => `${key}.${path}`)),
    restart: (config: InterceptorConfigs) =>
      Object.fromEntries(
        all.flatMap(([key, one]) =>
          Object.entries(one.restart?.(Reflect.get(config, key)) ?? {}).map(([path, part]) => [
            path === "" ? key : `${key}.${path}`,
            part,
          ]),
        ),
      ),
    schema: ({ z, ...kit }) =>
      z
        .strictObject(
          Object.fromEntries(all.map(([key, one]) => [key, one.schema({ z, ...kit })])) as InterceptorShape,
        )
        .prefault({})
        .describe("What every call passes on its way."),
    read: (file, at) =>
      Object.fromEntries(
        all.map(([key, one]) => [key, one.read(Reflect.get(file, key), at.at(key))]),
      ) as InterceptorConfigs,
  });
}

function make({ interceptors }: Features) {
  const methodKeys = interceptors.flatMap((kind) => kind.methodKeys ?? []);
  return {
    listen: listenSection,
    admin: adminSection,
    trustedProxies: trustedProxiesSection,
    zone: zoneSection,
    upstreams: upstreamsSection,
    interceptors: interceptorsSection(interceptors),
    use: useSection([...new Set(interceptors.map(({ place }) => place))]),
    methods: methodsSection<MethodShape, MethodSettings>([...methodKeys, ...OTHER_METHOD_KEYS]),
    http: httpSection,
    reflection: reflectionSection,
    schemaCache: schemaCacheSection,
    limits: limitsSection,
    errors: errorsSection,
    readiness: readinessSection,
    drain: drainSection,
  };
}

type Sections = ReturnType<typeof make>;

const made = new WeakMap<Features, Sections>();

/** By their keys at the top of the file. */
export function sectionsOf(features: Features = FEATURES): Sections {
  const sections = made.get(features) ?? make(features);
  made.set(features, sections);
  return sections;
}

/** The config of the hub: validated, immutable, with every default filled in. */
export type Config = Readonly<AllOf<ConfigOf<Sections[keyof Sections]>>>;
/** The config of one method, service or package. */
export type MethodConfig = Config["methods"][number];

export type FileSchema = z.ZodObject<Shape, z.core.$strict>;
type Shape = { [K in keyof Sections]: SchemaOf<Sections[K]> };

/** The schema of the whole file. */
export function schemaOf(kit: Kit, features?: Features): FileSchema {
  const own = { ...kit, ownBalancers: Object.keys(features?.balancers ?? {}) };
  const shape = Object.entries(sectionsOf(features)).map(([key, one]: [string, Section]) => [
    key,
    one.schema(own),
  ]);
  return kit.z.strictObject(Object.fromEntries(shape) as Shape).meta({
    title: "linchpin.yaml",
    description: `Configuration of the linchpin hub. \${NAME} in a value is replaced by an environment variable, \${NAME:-TEXT} has a default, $\${ stands for itself.`,
  });
}

/** The content of a valid file, with defaults filled in. */
export type ParsedConfig = z.output<ReturnType<typeof schemaOf>>;
