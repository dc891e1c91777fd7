// Gauges of the hub itself in /metrics: its connections, certificates, upstreams and config.
import { version } from "../kit/files/version.js";
import type { Family } from "../telemetry/metrics/family.js";
import { ENDPOINT_STATES, type HubView } from "./hub-view.js";

const BUILD = { version: version(), "process.runtime.version": process.versions.node };

export function gaugesOf(view: HubView): Family[] {
  return [
    ...connectionFamilies(view),
    certificateFamily(view),
    ...upstreamFamilies(view),
    ...configFamilies(view),
  ];
}

function connectionFamilies(view: HubView): Family[] {
  const total = new Map<string, number>();
  for (const { connections } of view.listeners()) {
    for (const [protocol, count] of Object.entries(connections))
      total.set(protocol, (total.get(protocol) ?? 0) + count);
  }
  return [
    {
      type: "gauge",
      name: "linchpin.connections",
      unit: "{connection}",
      help: "Open connections of clients, by protocol.",
      points: [...total].map(([protocol, value]) => ({
        labels: { "network.protocol.name": protocol },
        value,
      })),
    },
    {
      type: "gauge",
      name: "linchpin.http2.waiting",
      unit: "By",
      help: "Data that waits in the hub for clients and services to take it, over HTTP/1.1 as well (limits.maxProcessQueued).",
      points: [{ labels: {}, value: view.waitingBytes }],
    },
    {
      type: "gauge",
      name: "linchpin.replay",
      unit: "By",
      help: "What is kept of requests so that another attempt can have them.",
      points: [{ labels: {}, value: view.replayBytes }],
    },
  ];
}

function certificateFamily(view: HubView): Family {
  return {
    type: "gauge",
    name: "linchpin.tls.certificate.expiry",
    unit: "s",
    help: "When a certificate in use, or one of its file, ends: seconds since 1970.",
    points: view.certificates().map(({ owner, role, expiresAt }) => ({
      labels: { "linchpin.certificate.owner": owner, "linchpin.certificate.role": role },
      value: Math.floor(expiresAt / 1000),
    })),
  };
}

function upstreamFamilies(view: HubView): Family[] {
  const upstreams = view.upstreams();
  return [
    {
      type: "gauge",
      name: "linchpin.upstream.endpoints",
      unit: "{endpoint}",
      help: "Endpoints of an upstream, by state: only those that are ready get calls.",
      points: upstreams.flatMap(({ name, endpoints }) =>
        ENDPOINT_STATES.map((state) => ({
          labels: { "linchpin.upstream": name, "linchpin.endpoint.state": state },
          value: endpoints.filter((endpoint) => endpoint.state === state).length,
        })),
      ),
    },
    {
      type: "gauge",
      name: "linchpin.upstream.discovery.successful",
      unit: "1",
      help: "Whether the source of an upstream's endpoints told them all the last time; while it does not, the last list stays in use.",
      points: upstreams.map(({ name, source }) => ({
        labels: { "linchpin.upstream": name },
        value: source?.problem === undefined ? 1 : 0,
      })),
    },
    {
      type: "gauge",
      name: "linchpin.upstream.connections",
      unit: "{connection}",
      help: "Connections to an upstream: open ones take calls, draining ones take no more.",
      points: upstreams.flatMap(({ name, endpoints }) =>
        (
          [
            ["open", "connections"],
            ["connecting", "connecting"],
            ["draining", "draining"],
          ] as const
        ).map(([state, count]) => ({
          labels: { "linchpin.upstream": name, "linchpin.connection.state": state },
          value: endpoints.reduce((sum, endpoint) => sum + endpoint[count], 0),
        })),
      ),
    },
    {
      type: "gauge",
      name: "linchpin.upstream.panic",
      unit: "1",
      help: "1 while too few endpoints are healthy and all that are connected get calls.",
      points: upstreams.map(({ name, panic }) => ({
        labels: { "linchpin.upstream": name },
        value: panic === true ? 1 : 0,
      })),
    },
    ...(["active", "max"] as const).map(
      (count): Family => ({
        type: "gauge",
        name: `linchpin.upstream.breaker.${count}`,
        unit: "{call}",
        help:
          count === "active"
            ? "Calls that count for a circuit breaker."
            : "The limit of a circuit breaker: at it, calls are rejected.",
        points: upstreams.flatMap(({ name, breakers = [] }) =>
          breakers.map((breaker) => ({
            labels: { "linchpin.upstream": name, "linchpin.breaker": breaker.name },
            value: breaker[count],
          })),
        ),
      }),
    ),
    {
      type: "gauge",
      name: "linchpin.upstream.pending",
      unit: "{call}",
      help: "Calls that wait for a connection to an upstream.",
      points: upstreams.map(({ name, pending }) => ({
        labels: { "linchpin.upstream": name },
        value: pending,
      })),
    },
  ];
}

/** Alerts on a failed reload need the last one's outcome. */
function configFamilies({ lastReload }: HubView): Family[] {
  return [
    {
      type: "gauge",
      name: "linchpin.build.info",
      unit: "1",
      help: "1, with the versions of the hub and of Node.",
      points: [{ labels: BUILD, value: 1 }],
    },
    {
      type: "gauge",
      name: "linchpin.config.last_reload.successful",
      unit: "1",
      help: "Whether the last reload of the config was taken over; the start counts as one.",
      points: [{ labels: {}, value: lastReload.succeeded ? 1 : 0 }],
    },
    {
      type: "gauge",
      name: "linchpin.config.last_reload.time",
      unit: "s",
      help: "When the last reload was tried, Unix time.",
      points: [{ labels: {}, value: lastReload.at / 1000 }],
    },
  ];
}
