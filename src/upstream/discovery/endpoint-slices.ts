// The endpoints in the EndpointSlices of a Service (discovery.k8s.io/v1): which addresses take calls, at which port.
import { isIP } from "node:net";
import { isHost } from "../../config/address.js";
import type { EndpointInfo } from "./endpoint-source.js";
import { distinct, isZone } from "./entries.js";

export interface ServicePort {
  readonly service: string;
  readonly namespace: string;
  /** Name or number. */
  readonly port: string;
}

interface SliceEndpoint {
  readonly address: string;
  readonly ready: boolean;
  /** Takes calls, though it may be terminating. */
  readonly serving: boolean;
  readonly zone: string | undefined;
}

export interface Slice {
  readonly name: string;
  /** Its resourceVersion. */
  readonly version: string | undefined;
  readonly endpoints: readonly SliceEndpoint[];
  /** Empty: any. */
  readonly ports: readonly { readonly name: string; readonly port: number | undefined }[];
}

/** undefined: it is not a valid slice. */
export function sliceOf(value: unknown): Slice | undefined {
  const metadata = field(value, "metadata");
  const name = field(metadata, "name");
  if (typeof name !== "string") return undefined;
  const version = field(metadata, "resourceVersion");
  return {
    name,
    version: typeof version === "string" ? version : undefined,
    endpoints: list(field(value, "endpoints")).flatMap(endpointOf),
    ports: list(field(value, "ports")).map((port) => ({
      name: textIn(field(port, "name")) ?? "",
      port: portIn(field(port, "port")),
    })),
  };
}

function textIn(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function portIn(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value < 65_536
    ? value
    : undefined;
}

function endpointOf(value: unknown): SliceEndpoint[] {
  // All of an endpoint's addresses lead to the same one; the first is the one to use.
  const [address] = list(field(value, "addresses"));
  if (typeof address !== "string" || !(isIP(address) !== 0 || isHost(address))) return [];
  const conditions = field(value, "conditions");
  const zone = field(value, "zone");
  // Unknown counts as true, as the API says of each.
  const ready = field(conditions, "ready") !== false;
  return [
    {
      address,
      ready,
      serving: (field(conditions, "serving") ?? ready) !== false,
      zone: isZone(zone) ? zone : undefined,
    },
  ];
}

export interface FromSlices {
  readonly endpoints: readonly EndpointInfo[];
  readonly problem: string | undefined;
}

/**
 * The ready endpoints; if there are none, those that are terminating and still serve, as kube-proxy does (KEP-1669): a
 * failed rollout should not break what works.
 */
export function endpointsOf(slices: readonly Slice[], { service, namespace, port }: ServicePort): FromSlices {
  const name = `${service}.${namespace}.svc`;
  const all: { readonly info: EndpointInfo; readonly ready: boolean; readonly serving: boolean }[] = [];
  const others = new Set<string>();
  let withPort = false;
  for (const slice of slices) {
    const at = portOf(slice, port);
    if (at === undefined) {
      for (const { name: own, port: number } of slice.ports)
        others.add(
          [own, number === undefined ? "" : own === "" ? `${number}` : `(${number})`].join(" ").trim(),
        );
      continue;
    }
    withPort = true;
    for (const { address, ready, serving, zone } of slice.endpoints)
      all.push({
        info: { host: address, port: at, name, ...(zone === undefined ? {} : { zone }) },
        ready,
        serving,
      });
  }
  if (!withPort) {
    const known = others.size === 0 ? "none" : [...others].join(", ");
    return { endpoints: [], problem: `the service ${service} has no port ${port}; it has ${known}` };
  }
  const ready = all.filter((one) => one.ready);
  const chosen = ready.length > 0 ? ready : all.filter((one) => one.serving);
  // An endpoint may be in two slices for a moment: this is not an error.
  const { endpoints } = distinct(chosen.map(({ info }) => info));
  if (endpoints.length > 0) return { endpoints, problem: undefined };
  const count = all.length === 0 ? "it has none" : `it has ${all.length}`;
  return { endpoints, problem: `no endpoint of the service ${service} in ${namespace} is ready: ${count}` };
}

function portOf({ ports }: Slice, port: string): number | undefined {
  const number = /^\d+$/.test(port) ? Number(port) : undefined;
  if (number !== undefined && ports.length === 0) return number;
  return ports.find((one) => (number === undefined ? one.name === port : one.port === number))?.port;
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
