// `endpoints` of an upstream: a list of addresses, or one source that reports them.
import type * as z from "zod";
import { formatAddress, isHost, parseEndpointAddress } from "../../config/address.js";
import type { Kit } from "../../config/kit.js";
import { featureKeys, type Place } from "../../config/section.js";
import { UserError } from "../../kit/text/user-error.js";
import { type EndpointInfo, MAX_ENDPOINTS, type SourceLogin } from "./endpoint-source.js";
import { isZone, MAX_PRIORITY, MAX_WEIGHT, MAX_ZONE } from "./entries.js";
import { endpointsFile } from "./file-endpoints.js";
import { refusalOf } from "./followed-source.js";
import { checkTarget, hasScheme } from "./sources.js";

/** The source of an upstream's endpoints, if its config does not list them. */
export interface SourceConfig {
  /** Such as `dns:///library:50051`. It may contain a user and a password: `maskedText` before it is shown. */
  readonly target: string;
  readonly login?: SourceLogin | undefined;
}

export interface DiscoveryConfig {
  /** The listed endpoints; empty if there is a source. */
  readonly endpoints: readonly EndpointInfo[];
  readonly source?: SourceConfig | undefined;
}

const ENTRY = "must be HOST:PORT, unix:/PATH or { address, weight, zone, priority }";
const LIST_OR_SOURCE = "must be a list, as in [127.0.0.1:50051], or a source, as in dns:///library:50051";

const entry = ({ z, taking, wholeNumber }: Kit) => {
  const address = z
    .string({ error: "must be HOST:PORT or unix:/PATH" })
    .transform(taking(parseEndpointAddress))
    .describe("HOST:PORT, or unix:/PATH.");
  return z
    .union(
      [
        z.string(),
        z.strictObject({
          address,
          weight: wholeNumber(0, MAX_WEIGHT)
            .optional()
            .describe(
              "Its share of the calls beside that of others, which is 1 where none is given; 0: it gets none.",
            ),
          zone: z
            .string({ error: "must be the name of a zone" })
            .min(1, { error: "must be the name of a zone" })
            .max(MAX_ZONE)
            .refine(isZone, { error: "must be the name of a zone" })
            .optional()
            .describe("Where it runs, for balancers that prefer the hub's own zone."),
          priority: wholeNumber(0, MAX_PRIORITY)
            .optional()
            .describe("Endpoints of a lower number come first; 0 where none is given."),
        }),
      ],
      { error: ENTRY },
    )
    .transform((value, ctx): EndpointInfo => {
      if (typeof value === "string") return taking(parseEndpointAddress)(value, ctx);
      const { address: at, ...traits } = value;
      return { ...at, ...traits };
    });
};

export const discoveryKeys = featureKeys({
  defaults: { endpoints: [] } as DiscoveryConfig,
  schema: (kit) => ({
    discovery: discovery(kit),
    endpoints: kit.z
      .union([kit.z.string(), kit.z.array(entry(kit)).meta({ minItems: 1, maxItems: MAX_ENDPOINTS })], {
        error: LIST_OR_SOURCE,
      })
      .refine((value) => value.length > 0, { error: "must have at least one endpoint" })
      .refine((value) => typeof value === "string" || value.length <= MAX_ENDPOINTS, {
        error: `must have at most ${MAX_ENDPOINTS} endpoints`,
      })
      .describe(
        "The instances; calls are spread over them. A list of HOST:PORT, unix:/PATH or { address, weight, zone, priority }, or a source that tells them, as in docs/upstreams.md.",
      )
      .meta({
        examples: [
          ["127.0.0.1:50051", "library:50051"],
          [{ address: "10.0.0.1:50051", weight: 2 }, "unix:/run/library.sock"],
        ],
      }),
  }),
  read({ endpoints, discovery }, at): DiscoveryConfig {
    const scheme = typeof endpoints === "string" ? /^[^:]*/.exec(endpoints)?.[0] : undefined;
    for (const [key, of] of KEYS_OF)
      at.needs(["discovery", key], scheme === of, `it is for ${of}://, and endpoints are no such source`);
    if (typeof endpoints === "string") {
      const login = discovery && loginOf(discovery, at.at("discovery"));
      return { endpoints: [], source: { ...sourceOf(endpoints, at), ...(login && { login }) } };
    }
    checkList(endpoints, at);
    return { endpoints };
  },
});

/** The sources of each key of `discovery`. */
const KEYS_OF = [
  ["user", "etcd"],
  ["passwordFile", "etcd"],
  ["tls", "etcd"],
  ["kubeconfig", "kubernetes"],
  ["context", "kubernetes"],
] as const;

const discovery = ({ z, path, isMapping }: Kit) =>
  z
    .strictObject({
      user: z.string().min(1, { error: "must be a name" }).optional().describe("etcd: who logs in."),
      passwordFile: path()
        .optional()
        .describe("etcd: a file with the password, read again for each login; relative to this file."),
      tls: z
        .union(
          [
            z.boolean(),
            z
              .strictObject({
                ca: path()
                  .optional()
                  .describe("PEM file: whose certificates are trusted. Left out: what Node trusts."),
                cert: path().optional().describe("PEM file: the hub's own certificate."),
                key: path().optional().describe("PEM file: its private key."),
                serverName: z
                  .string()
                  .refine(isHost, { error: "must be a host name" })
                  .optional()
                  .describe("The name in the server's certificate, where it is not its host."),
              })
              .refine((value) => (value.cert === undefined) === (value.key === undefined), {
                error: "must have both cert and key, or neither",
                when: isMapping,
              }),
          ],
          { error: "must be true, or { ca, cert, key, serverName }" },
        )
        .optional()
        .describe("etcd: speaks TLS. Files are read again for each connection."),
      kubeconfig: path()
        .optional()
        .describe(
          "kubernetes: a kubeconfig, relative to this file. Left out: the service account of the pod; outside of a cluster KUBECONFIG or ~/.kube/config.",
        ),
      context: z
        .string()
        .min(1, { error: "must be a name" })
        .optional()
        .describe("kubernetes: the context of the kubeconfig. Left out: its current one."),
    })
    .refine((value) => value.passwordFile === undefined || value.user !== undefined, {
      error: "needs user: whose password it is",
      path: ["passwordFile"],
    })
    .optional()
    .describe("What a source of endpoints is reached with (docs/upstreams.md).");

type RawDiscovery = NonNullable<z.output<ReturnType<typeof discovery>>>;

function loginOf({ tls, passwordFile, kubeconfig, ...others }: RawDiscovery, at: Place): SourceLogin {
  const file = (path: readonly string[], text: string | undefined): string | undefined =>
    text === undefined ? undefined : at.existing(path, text, "file");
  const files = tls === true ? {} : tls === false ? undefined : tls;
  return {
    ...others,
    passwordFile: file(["passwordFile"], passwordFile),
    tls: files && {
      ...files,
      ca: file(["tls", "ca"], files.ca),
      cert: file(["tls", "cert"], files.cert),
      key: file(["tls", "key"], files.key),
    },
    kubeconfig: file(["kubeconfig"], kubeconfig),
  };
}

function sourceOf(target: string, at: Place): SourceConfig {
  try {
    if (at.whole.isOwnTarget(target)) return { target };
    if (!hasScheme(target)) throw new UserError(LIST_OR_SOURCE);
    checkTarget(target);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    at.wrong(["endpoints"], error.message);
  }
  const path = endpointsFile(target);
  if (path === undefined) return { target };
  const full = at.resolved(path);
  const problem = at.checkPath(full, "file");
  // It may appear later, and the hub waits for it.
  if (problem !== undefined) at.warn(["endpoints"], problem);
  return { target: `file://${encodeURI(full)}` };
}

function checkList(endpoints: readonly EndpointInfo[], at: Place): void {
  const seen = new Set<string>();
  for (const [i, endpoint] of endpoints.entries()) {
    const address = formatAddress(endpoint).toLowerCase();
    if (seen.has(address)) at.warn(["endpoints", i], "stands twice: it gets two shares of the calls");
    seen.add(address);
  }
  const refusal = refusalOf(endpoints);
  if (refusal !== undefined) at.wrong(["endpoints"], refusal);
}
