// The one place for the keys of linchpin.yaml: what each is for, allows, and is when left out. Validation, the
// JSON Schema and the documentation are made from it. Values come out as the program wants them (ms, bytes).
import * as z from "zod";
import { isRoutable } from "../call/routable.js";
import { parseEndpoint } from "./address.js";
import { DEFAULTS } from "./defaults.js";
import {
  isMethodSelector,
  isServiceName,
  isUpstreamName,
  METHOD_SELECTOR_EXPECTED,
  SERVICE_NAME,
  UPSTREAM_NAME,
} from "./names.js";
import { authSection, METHOD_AUTH, roles } from "./sections/auth.js";
import { addressLimit, errorsSection, trustedProxies } from "./sections/edge.js";
import { httpSection } from "./sections/http.js";
import { methodHttp } from "./sections/http-answers.js";
import { limitsSection } from "./sections/limits.js";
import { methodQuota, quotaSection } from "./sections/quota.js";
import { accessLogSection, metricsSection, tracingSection } from "./sections/telemetry.js";
import { adminSection, listenSection, upstreamTlsSection } from "./sections/tls.js";
import { connectionsSection, pendingSection } from "./sections/upstream.js";
import { duration, durationOrNone, isMapping, text } from "./values.js";

/** Bounds that keep a config, and the plans built from it, small enough to reason about. */
const MAX_UPSTREAMS = 1_000;
const MAX_ENDPOINTS = 1_000;
const MAX_METHODS = 10_000;
const MAX_SERVICES = 10_000;

const path = z.string({ error: "must be a path" }).min(1, { error: "must be a path" });

const schemaFiles = z
  .strictObject({
    protoset: path
      .describe(
        "A serialized FileDescriptorSet, as `buf build -o` and `protoc -o` write it; relative to this file.",
      )
      .meta({ examples: ["library.binpb"] })
      .optional(),
    protos: z
      .array(path)
      .min(1, { error: "must name at least one folder" })
      .max(100)
      .describe("Folders of .proto files, each an import root; relative to this file.")
      .meta({ examples: [["proto"]] })
      .optional(),
  })
  .refine((value) => (value.protoset === undefined) !== (value.protos === undefined), {
    error: "must have exactly one of protoset and protos",
    when: isMapping,
  });

const schemaSource = z
  .union([z.literal("reflection"), z.literal("none"), schemaFiles], {
    error: "must be reflection, none, { protoset: FILE } or { protos: [DIR] }",
  })
  .prefault("reflection")
  .describe(
    "Where the hub learns the upstream's services: reflection, { protoset: FILE } or { protos: [DIR] }; none: nowhere, gRPC clients alone can call those that services names.",
  );

const services = z
  .array(
    z
      .string()
      .refine(isServiceName, { error: SERVICE_NAME })
      .refine(isRoutable, { error: "is a service of the hub: it answers it itself" }),
  )
  .min(1, { error: "must name at least one service" })
  .max(MAX_SERVICES)
  .optional()
  .describe(
    "With schema: none, the full names of its services, as in [legacy.v1.Orders]. Left out: all services that no other upstream has.",
  );

const upstream = z.strictObject({
  endpoints: z
    .array(
      text(parseEndpoint, "must be HOST:PORT, as in 127.0.0.1:50051", ["127.0.0.1:50051", "library:50051"]),
    )
    .min(1, { error: "must have at least one endpoint" })
    .max(MAX_ENDPOINTS)
    .describe("HOST:PORT of each instance; calls are spread over them."),
  schema: schemaSource,
  services,
  tls: upstreamTlsSection,
  connections: connectionsSection,
  pending: pendingSection,
});

const anyUpstreams = keyed(
  z.record(z.string(), upstream),
  (name) => (isUpstreamName(name) ? undefined : UPSTREAM_NAME),
  MAX_UPSTREAMS,
);

const upstreams = anyUpstreams
  .refine((value) => Object.keys(value).length > 0, { error: "must have at least one upstream" })
  .describe("The gRPC services behind the hub, by a name of your choice.")
  .meta({ examples: [{ library: { endpoints: ["127.0.0.1:50051", "127.0.0.1:50052"] } }] });

const deadline = z
  .strictObject({
    // Filled in later: a built-in default bows to the cap, one that the file names must not exceed it.
    default: durationOrNone()
      .optional()
      .describe("For a unary call whose caller names no deadline; none: it may run for ever.")
      .meta({ default: DEFAULTS.deadlineDefault }),
    max: durationOrNone()
      .prefault(DEFAULTS.deadlineMax)
      .describe("Cap on what the caller asks for and on every other deadline of this file; none: no cap."),
  })
  .refine((value) => !exceeds(value.default, value.max), {
    error: "must not be longer than deadline.max",
    path: ["default"],
    when: isMapping,
  })
  .prefault({})
  .describe("How long a call may take. The time left is passed on to the service.");

const interceptors = z
  .strictObject({
    metrics: metricsSection,
    tracing: tracingSection,
    accessLog: accessLogSection,
    deadline,
    addressLimit,
    auth: authSection,
    quota: quotaSection,
  })
  .prefault({})
  .describe("What every call passes on its way.");

const method = z
  .strictObject({
    auth: z
      .enum(METHOD_AUTH, { error: `must be one of ${METHOD_AUTH.join(", ")}` })
      .optional()
      .describe(
        "none: no credential is asked for or looked at; optional or required: as interceptors.auth.required says for all.",
      )
      .meta({ examples: ["required"] }),
    roles: roles
      .min(1, { error: "must name at least one role" })
      .optional()
      .describe("The caller must have at least one of these."),
    deadline: durationOrNone()
      .optional()
      .describe("For a call whose caller names no deadline; none: it may run for ever."),
    idempotent: z
      .boolean()
      .optional()
      .describe(
        "true: calling it twice does what calling it once does, so that a failed call may be sent again.",
      )
      .meta({ examples: [true] }),
    quota: methodQuota,
    forms: z
      .boolean()
      .optional()
      .describe(
        "true: HTML forms are taken as bodies too (application/x-www-form-urlencoded, multipart/form-data). Pages of other sites can send those without being asked: only where no cookie or address stands for the caller.",
      )
      .meta({ examples: [true] }),
    http: methodHttp,
  })
  .refine((value) => value.auth !== "none" || value.roles === undefined, {
    error: "must not have auth: none and roles: a caller without identity has no role",
    path: ["auth"],
  });

const methods = keyed(
  z.record(z.string(), method),
  (selector) => (isMethodSelector(selector) ? undefined : METHOD_SELECTOR_EXPECTED),
  MAX_METHODS,
)
  .prefault({})
  .describe(
    "Overrides for a method (pkg.Service/Method), a service (pkg.Service) or all services below a package (pkg.*); the most specific wins.",
  )
  .meta({ examples: [{ "library.v1.LibraryService/GetBook": { deadline: "2s", idempotent: true } }] });

const readiness = z
  .strictObject({
    wait: durationOrNone(0)
      .prefault(DEFAULTS.readinessWait)
      .describe(
        "How long after its start the hub is not ready (readyz, health) because an upstream has never been learned; 0s: not at all, none: until each has been.",
      ),
  })
  .prefault({})
  .describe("When the hub is ready. It takes calls meanwhile.");

const drain = z
  .strictObject({
    delay: duration(0)
      .prefault(DEFAULTS.drainDelay)
      .describe(
        "How long the hub still accepts connections and calls after SIGTERM or SIGINT, while its readiness and health say that it is leaving, so that load balancers stop sending to it first.",
      )
      .meta({ examples: ["5s"] }),
    grace: duration(0)
      .prefault(DEFAULTS.drainGrace)
      .describe(
        "How long all of it may take, the delay included; calls that still run then are cut off. Kubernetes kills after 30 s.",
      ),
  })
  .refine(({ delay, grace }) => !exceeds(delay, grace), {
    error: "must not be longer than drain.grace, which includes it",
    path: ["delay"],
    when: isMapping,
  })
  .prefault({})
  .describe("How the hub leaves.");

export const configSchema = z
  .strictObject({
    listen: listenSection
      .prefault(DEFAULTS.listen)
      .describe(
        "Where clients call: HOST:PORT, unix:/PATH, { address, tls }, or a list of those. Only this machine can reach the default.",
      ),
    admin: adminSection
      .prefault(DEFAULTS.admin)
      .describe("Where the hub shows its health and its routes: HOST:PORT, { address, token, tls }, or off."),
    trustedProxies,
    upstreams,
    interceptors,
    methods,
    http: httpSection,
    reflection: z
      .boolean()
      .prefault(DEFAULTS.reflection)
      .describe("Whether the hub serves gRPC server reflection for everything behind it."),
    schemaCache: path
      .optional()
      .describe(
        "Folder in which the hub remembers what it learned by reflection, so that it can start while its services are down; relative to this file. It must exist. Left out: nothing is remembered.",
      )
      .meta({ examples: ["/var/cache/linchpin"] }),
    limits: limitsSection,
    errors: errorsSection,
    readiness,
    drain,
  })
  .meta({
    title: "linchpin.yaml",
    description: `Configuration of the linchpin hub. \${NAME} in a value is replaced by an environment variable, \${NAME:-TEXT} has a default, $\${ stands for itself.`,
  });

/** For a program that has services of its own: it may do without upstreams. */
export const embeddedConfigSchema = configSchema.extend({ upstreams: anyUpstreams.prefault({}) });

/** What a file may hold, or an object of a program in its place. */
export type ConfigInput = z.input<typeof embeddedConfigSchema>;
/** What a valid file holds, with every default filled in. */
export type ParsedConfig = z.output<typeof configSchema>;

/** A mapping whose keys have a form of their own; each wrong key is told at its own place. */
function keyed<T extends z.ZodRecord>(
  record: T,
  wrong: (key: string) => string | undefined,
  maxKeys: number,
): T {
  const check = (value: object, ctx: z.core.$RefinementCtx): void => {
    const keys = Object.keys(value);
    if (keys.length > maxKeys) ctx.addIssue({ code: "custom", message: `must have at most ${maxKeys} keys` });
    for (const key of keys) {
      const message = wrong(key);
      if (message !== undefined) {
        ctx.addIssue({ code: "custom", message, path: [key], params: { atKey: true } });
      }
    }
  };
  return record.superRefine(check, { when: isMapping });
}

function exceeds(a: unknown, b: unknown): boolean {
  return typeof a === "number" && typeof b === "number" && a > b;
}
