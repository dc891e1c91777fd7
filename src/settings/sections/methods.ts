// `methods`: overrides for single methods. Each feature that has some brings its keys.
import type * as z from "zod";
import type { Kit } from "../../config/kit.js";
import { mapping } from "../../config/mapping.js";
import { isMethodSelector, METHOD_SELECTOR_EXPECTED } from "../../config/names.js";
import { type FeatureKeys, featureKeys, type Place, section } from "../../config/section.js";

const MAX_METHODS = 10_000;

/** The HTTP responses of one method. */
export interface MethodHttpConfig {
  /** HTTP status of a success response. */
  readonly success: number;
  /** Path of the created resource: `{field}` are fields of the response. */
  readonly location: string | undefined;
}

export interface HttpOfMethod {
  /** Whether HTML forms are accepted as bodies. Default false. */
  readonly forms?: boolean | undefined;
  /** undefined: 200. */
  readonly http?: MethodHttpConfig | undefined;
}

const LOCATION = "must be a path with fields of the answer, as in /v1/{name}";

/** Keys that apply only to plain HTTP. */
export const httpKeysOfMethods = featureKeys({
  defaults: {} as HttpOfMethod,
  schema: ({ z }) => ({
    forms: z
      .boolean()
      .optional()
      .describe(
        "true: HTML forms are taken as bodies too (application/x-www-form-urlencoded, multipart/form-data). Pages of other sites can send those without being asked: only where no cookie or address stands for the caller.",
      )
      .meta({ examples: [true] }),
    http: z
      .strictObject({
        success: z
          .union([z.literal(200), z.literal(201), z.literal(202), z.literal(203), z.literal(204)], {
            error: "must be 200, 201, 202, 203 or 204",
          })
          .prefault(200)
          .describe("HTTP status of a success response."),
        location: z
          .string({ error: LOCATION })
          .max(1000, { error: LOCATION })
          .regex(/^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@%/-]|\{[A-Za-z_][A-Za-z0-9_.]*\})*$/, {
            error: LOCATION,
          })
          .optional()
          .describe("Location header of the response: {field} stands for a field of the response message.")
          .meta({ examples: ["/v1/{name}"] }),
      })
      .optional()
      .describe("The method's HTTP responses."),
  }),
  read: ({ forms, http }) => ({
    forms,
    ...(http === undefined ? {} : { http: { location: undefined, ...http } }),
  }),
});

/**
 * `pkg.Service.Method`, where `pkg.Service/Method` is meant: the names of two messages or services are rarely adjacent.
 */
const DOTTED_METHOD = /^((?:[a-z_][a-z0-9_]*\.)+[A-Z][A-Za-z0-9_]*)\.([A-Z][A-Za-z0-9_]*)$/;

/** @param all the keys of every feature */
export function methodsSection<S extends z.ZodRawShape, M extends object>(all: readonly FeatureKeys[]) {
  return section({
    defaults: { methods: [] as readonly ({ readonly selector: string } & M)[] },
    secrets: all.flatMap(({ secrets = [] }) => secrets.map((path) => `*.${path}`)),
    schema: (kit) => schemaOf<S>(all, kit),
    read(file, at) {
      warnOfGrpcAlone(file, at);
      return {
        methods: Object.entries(file).map(([selector, method]) => {
          const dotted = DOTTED_METHOD.exec(selector);
          if (dotted !== null)
            at.warn([selector], `is read as the name of a service; a method is ${dotted[1]}/${dotted[2]}`);
          const place = at.at(selector);
          const own = all.map((keys) => keys.read(method, place));
          return Object.assign({ selector }, ...own) as { readonly selector: string } & M; // as the types of the keys say
        }),
      };
    },
  });
}

/** Keys that apply only to JSON, for services without JSON. */
function warnOfGrpcAlone(methods: Readonly<Record<string, unknown>>, at: Place): void {
  const owners = new Map<unknown, string>();
  for (const [name, upstream] of Object.entries(mapping(at.whole.value(["upstreams"])))) {
    const { schema, services } = mapping(upstream);
    if (schema === "none" && Array.isArray(services))
      for (const service of services) owners.set(service, name);
  }
  for (const [selector, method] of Object.entries(methods)) {
    const owner = owners.get(selector.split("/")[0]);
    if (owner === undefined) continue;
    for (const key of ["http", "forms"])
      if (mapping(method)[key] !== undefined)
        at.warn(
          [selector, key],
          `has no effect: the upstream ${owner} has schema: none, which is for gRPC alone`,
        );
  }
}

type Method<S extends z.ZodRawShape> = z.ZodObject<S, z.core.$strict>;

function schemaOf<S extends z.ZodRawShape>(all: readonly FeatureKeys[], kit: Kit) {
  const { z } = kit;
  const shape = Object.assign({}, ...all.map((keys) => keys.schema(kit)));
  const method = z.strictObject(shape).superRefine((value, ctx) => {
    for (const keys of all) {
      const wrong = keys.check?.(value);
      if (wrong !== undefined) ctx.addIssue({ code: "custom", message: wrong.message, path: [wrong.key] });
    }
  });
  return kit
    .keyed(
      z.record(z.string(), method as Method<S>), // as the types of the keys say
      (selector) => (isMethodSelector(selector) ? undefined : METHOD_SELECTOR_EXPECTED),
      MAX_METHODS,
    )
    .prefault({})
    .describe(
      "Overrides for a method (pkg.Service/Method), a service (pkg.Service) or all services below a package (pkg.*); the most specific wins.",
    )
    .meta({ examples: [{ "library.v1.LibraryService/GetBook": { deadline: "2s", idempotent: true } }] });
}
