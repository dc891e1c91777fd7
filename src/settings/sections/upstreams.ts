// `upstreams`: the services behind the hub, how they are reached and how their schema is learned.
import { isIPv6 } from "node:net";
import type * as z from "zod";
import { isRoutable } from "../../call/routable.js";
import { isHost } from "../../config/address.js";
import type { Kit } from "../../config/kit.js";
import { isServiceName, isUpstreamName, SERVICE_NAME, UPSTREAM_NAME } from "../../config/names.js";
import { type Place, type ShapeOf, section } from "../../config/section.js";
import type { ClientTlsConfig } from "../../tls/config.js";
import type { SchemaSource, UpstreamConfig } from "../../upstream/upstream-config.js";
import { UPSTREAM_KEYS, type UpstreamFeatures } from "../../upstream/upstream-keys.js";
import { checkAuthorities, checkPair } from "./tls-files.js";

/** Bounds that keep a config, and the plans built from it, small enough to reason about. */
const MAX_UPSTREAMS = 1_000;
const MAX_SERVICES = 10_000;

const schemaSource = ({ z, path, isMapping }: Kit) =>
  z
    .union(
      [
        z.literal("reflection"),
        z.literal("none"),
        z
          .strictObject({
            protoset: path()
              .describe(
                "A serialized FileDescriptorSet, as `buf build -o` and `protoc -o` write it; relative to this file.",
              )
              .meta({ examples: ["library.binpb"] })
              .optional(),
            protos: z
              .array(path())
              .min(1, { error: "must name at least one folder" })
              .max(100)
              .describe("Folders of .proto files, each an import root; relative to this file.")
              .meta({ examples: [["proto"]] })
              .optional(),
          })
          .refine((value) => (value.protoset === undefined) !== (value.protos === undefined), {
            error: "must have exactly one of protoset and protos",
            when: isMapping,
          }),
      ],
      { error: "must be reflection, none, { protoset: FILE } or { protos: [DIR] }" },
    )
    .prefault("reflection")
    .describe(
      "Where the hub learns the upstream's services: reflection, { protoset: FILE } or { protos: [DIR] }; none: nowhere, gRPC clients alone can call those that services names.",
    );

const services = ({ z }: Kit) =>
  z
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

const tls = ({ z, path }: Kit) =>
  z
    .union(
      [
        z.boolean(),
        z
          .strictObject({
            ca: path()
              .optional()
              .describe(
                "PEM file: whose certificates are trusted. Left out: those that this machine trusts.",
              ),
            cert: path()
              .optional()
              .describe(
                "PEM file: the hub's own certificate, for services that ask for one; read again when it changes.",
              ),
            key: path().optional().describe("PEM file: its private key, without a passphrase."),
            serverName: z
              .string({ error: "must be a host name" })
              .refine((name) => isHost(name) || isIPv6(name), {
                error: "must be a host name or an IP address",
              })
              .optional()
              .describe("The name in the service's certificate, where it is not the endpoint's host."),
            dangerouslyTrustAnyServer: z
              .boolean()
              .optional()
              .describe(
                "true: accepts any certificate, so that anyone on the network path can read and change every call. Only for tests.",
              ),
          })
          .refine((value) => (value.cert === undefined) === (value.key === undefined), {
            error: "must have both cert and key, or neither",
          })
          .refine((value) => value.dangerouslyTrustAnyServer !== true || value.ca === undefined, {
            error: "makes ca useless: leave one of them out",
            path: ["dangerouslyTrustAnyServer"],
          }),
      ],
      { error: "must be true, or { ca, cert, key, serverName }" },
    )
    .optional()
    .describe(
      "Calls the services over TLS. true: trusts what this machine trusts, and shows no certificate; else { ca, cert, key, serverName } (docs/tls.md).",
    )
    .meta({ examples: [true] });

/** Keys of all features of an upstream. */
const featureShape = (kit: Kit) =>
  Object.assign({}, ...UPSTREAM_KEYS.map((keys) => keys.schema(kit))) as ShapeOf<
    (typeof UPSTREAM_KEYS)[number]
  >; // as its parts say

const upstream = (kit: Kit) => {
  const { endpoints, ...features } = featureShape(kit);
  return kit.z.strictObject({
    // First, since readers look for it first.
    endpoints,
    schema: schemaSource(kit),
    services: services(kit),
    tls: tls(kit),
    ...features,
  });
};

type RawUpstream = z.output<ReturnType<typeof upstream>>;

/** Any number of them: a program with services of its own may have no upstreams. */
export const anyUpstreams = (kit: Kit) =>
  kit.keyed(
    kit.z.record(kit.z.string(), upstream(kit)),
    (name) => (isUpstreamName(name) ? undefined : UPSTREAM_NAME),
    MAX_UPSTREAMS,
  );

export const upstreamsSection = section({
  defaults: { upstreams: [] } as { readonly upstreams: readonly UpstreamConfig[] },
  schema: (kit) =>
    anyUpstreams(kit)
      .refine((value) => Object.keys(value).length > 0, { error: "must have at least one upstream" })
      .describe("The gRPC services behind the hub, by a name of your choice.")
      .meta({ examples: [{ library: { endpoints: ["127.0.0.1:50051", "127.0.0.1:50052"] } }] }),
  read(file, at) {
    if (at.whole.intact(["upstreams"])) checkServices(file, at);
    return {
      upstreams: Object.entries(file).map(([name, upstream]) => upstreamOf(name, upstream, at.at(name))),
    };
  },
});

function upstreamOf(name: string, upstream: RawUpstream, at: Place): UpstreamConfig {
  const tls = clientTlsOf(upstream.tls, at.at("tls"));
  const features: UpstreamFeatures = Object.assign(
    {},
    ...UPSTREAM_KEYS.map((keys) => keys.read(upstream, at)),
  );
  return {
    ...features,
    name,
    schema: schemaOf(upstream, at),
    ...(tls === undefined ? {} : { tls }),
  };
}

function schemaOf({ schema, services }: RawUpstream, at: Place): SchemaSource {
  if (schema === "none") return { kind: "none", services };
  if (schema === "reflection") return { kind: "reflection" };
  const { protoset, protos = [] } = schema;
  if (protoset !== undefined)
    return { kind: "protoset", file: at.existing(["schema", "protoset"], protoset, "file") };
  return {
    kind: "protos",
    dirs: protos.map((dir, i) => at.existing(["schema", "protos", i], dir, "directory")),
  };
}

/** The services of upstreams without a schema: each is named once, and at most one upstream takes all others. */
function checkServices(upstreams: Readonly<Record<string, RawUpstream>>, at: Place): void {
  const owners = new Map<string, string>();
  let taker: string | undefined;
  for (const [name, { schema, services }] of Object.entries(upstreams)) {
    if (schema !== "none") {
      if (services !== undefined)
        at.wrong([name, "services"], "needs schema: none; else the schema says which services there are");
      continue;
    }
    if (services === undefined) {
      if (taker !== undefined)
        at.wrong([name, "schema"], `none needs services here: ${taker} takes all others already`);
      taker ??= name;
    }
    for (const [i, service] of (services ?? []).entries()) {
      const owner = owners.get(service);
      if (owner !== undefined)
        at.wrong(
          [name, "services", i],
          owner === name ? "stands twice" : `is a service of the upstream ${owner} already`,
        );
      owners.set(service, owner ?? name);
    }
  }
}

function clientTlsOf(raw: RawUpstream["tls"], at: Place): ClientTlsConfig | undefined {
  if (raw === undefined || raw === false) return undefined;
  const { ca, cert, key, serverName, dangerouslyTrustAnyServer } = raw === true ? {} : raw;
  const file = (name: string, text: string | undefined): string | undefined =>
    text === undefined ? undefined : at.located([name], text);
  const config = {
    ca: file("ca", ca),
    cert: file("cert", cert),
    key: file("key", key),
    serverName,
    dangerouslyTrustAnyServer: dangerouslyTrustAnyServer ?? false,
  };
  checkAuthorities(config.ca, "ca", at);
  checkPair(config.cert, config.key, at);
  return config;
}
