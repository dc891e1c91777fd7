// The proxies that are measured: how each is started, one worker, from one port to the backend.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Wire } from "./loads.js";
import { findProgram, freePort, type Proc, ROOT, SCRATCH, start } from "./proc.js";

export interface Peer {
  readonly name: string;
  readonly wires: readonly Wire[];
  /** Full path of what runs it; undefined: not installed. */
  readonly program: string | undefined;
  version(program: string): string;
  /** Command line, once its files are written. `adminPort` is for those that cannot do without one. */
  args(place: Place): readonly string[];
}

export interface Place {
  readonly port: number;
  readonly adminPort: number;
  readonly backendPort: number;
  /** A folder of its own, for config and pid files. */
  readonly folder: string;
}

export interface RunningPeer {
  readonly name: string;
  readonly wires: readonly Wire[];
  readonly port: number;
  /** Of the hub: where its metrics are. */
  readonly adminPort: number;
  readonly proc: Proc;
}

/** Descriptors of the benchmark's service, for those that transcode. */
export const PROTOSET = join(ROOT, "generated/image.binpb");
export const SERVICE = "bench.v1.EchoService";

/** The hub as built in `folder`. */
const hub = (name: string, folder: string, version: string): Peer => ({
  name,
  wires: ["grpc", "json"],
  program: process.execPath,
  version: () => `${version}, Node ${process.versions.node}`,
  args: ({ port, adminPort, backendPort }) => [
    join(folder, "dist/main.js"),
    "serve",
    `bench=127.0.0.1:${backendPort}`,
    "--protoset",
    PROTOSET,
    "--listen",
    `127.0.0.1:${port}`,
    "--admin",
    `127.0.0.1:${adminPort}`,
  ],
});

export const LINCHPIN = hub("linchpin", ROOT, "this work tree");

/** Its name begins as `report.ts` looks for it. */
export const otherVersion = (folder: string): Peer => hub("other version", resolve(folder), resolve(folder));

const envoy = (name: string, wire: Wire): Peer => ({
  name,
  wires: [wire],
  program: findProgram("envoy"),
  version: (program) => /\/(\d+\.\d+\.\d+)[^/]*\//.exec(output(program, "--version"))?.[1] ?? "?",
  args: (place) => {
    const file = join(place.folder, "envoy.json");
    writeFileSync(file, JSON.stringify(envoyConfig(place, wire), undefined, 2));
    // Envoys of one machine meet in shared memory: the port makes a base id that no other has.
    return ["-c", file, "--concurrency", "1", "-l", "error", "--base-id", String(place.port)];
  },
});

const ENVOY_TYPES = "type.googleapis.com/envoy.extensions";

function envoyConfig({ port, backendPort }: Place, wire: Wire): object {
  const transcoder = {
    name: "envoy.filters.http.grpc_json_transcoder",
    typed_config: {
      "@type": `${ENVOY_TYPES}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder`,
      proto_descriptor: PROTOSET,
      services: [SERVICE],
      print_options: { stream_newline_delimited: true },
      // Its default of 1 MiB counts what waits of a stream too: at times it broke off a stream of 100 MiB.
      max_response_body_size: 1024 * 1024 * 1024,
    },
  };
  const router = {
    name: "envoy.filters.http.router",
    typed_config: { "@type": `${ENVOY_TYPES}.filters.http.router.v3.Router` },
  };
  const socket = (port_value: number) => ({
    address: { socket_address: { address: "127.0.0.1", port_value } },
  });
  return {
    static_resources: {
      listeners: [
        {
          ...socket(port),
          filter_chains: [
            {
              filters: [
                {
                  name: "envoy.filters.network.http_connection_manager",
                  typed_config: {
                    "@type": `${ENVOY_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                    stat_prefix: "bench",
                    codec_type: "AUTO",
                    route_config: {
                      name: "all",
                      virtual_hosts: [
                        {
                          name: "all",
                          domains: ["*"],
                          routes: [{ match: { prefix: "/" }, route: { cluster: "backend", timeout: "0s" } }],
                        },
                      ],
                    },
                    http_filters: wire === "json" ? [transcoder, router] : [router],
                  },
                },
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: "backend",
          type: "STATIC",
          connect_timeout: "1s",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": `${ENVOY_TYPES}.upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: "backend",
            endpoints: [{ lb_endpoints: [{ endpoint: socket(backendPort) }] }],
          },
        },
      ],
    },
  };
}

const gateway: Peer = {
  name: "grpc-gateway",
  wires: ["json"],
  program: findProgram("linchpin-bench-gateway"),
  version: (program) => output(program, "-version").trim(),
  args: ({ port, backendPort }) => ["-listen", `127.0.0.1:${port}`, "-backend", `127.0.0.1:${backendPort}`],
};

const haproxy: Peer = {
  name: "haproxy",
  wires: ["grpc"],
  program: findProgram("haproxy"),
  version: (program) => /version (\d+\.\d+\.\d+)/.exec(output(program, "-v"))?.[1] ?? "?",
  args: ({ port, backendPort, folder }) => {
    const file = join(folder, "haproxy.cfg");
    writeFileSync(
      file,
      `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
  http-reuse always
frontend clients
  bind 127.0.0.1:${port} proto h2
  default_backend services
backend services
  server s 127.0.0.1:${backendPort} proto h2
`,
    );
    return ["-db", "-f", file];
  },
};

const nginx: Peer = {
  name: "nginx",
  wires: ["grpc"],
  program: findProgram("nginx"),
  version: (program) => /nginx\/(\S+)/.exec(output(program, "-v"))?.[1] ?? "?",
  args: ({ port, backendPort, folder }) => {
    const file = join(folder, "nginx.conf");
    const temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((kind) => `  ${kind}_temp_path ${folder}/${kind};`)
      .join("\n");
    writeFileSync(
      file,
      `worker_processes 1;
daemon off;
error_log ${folder}/error.log;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
${temps}
  upstream services { server 127.0.0.1:${backendPort}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} http2;
    http2_max_concurrent_streams 1000;
    keepalive_requests 1000000000;
    location / { grpc_pass grpc://services; }
  }
}
`,
    );
    return ["-c", file, "-p", folder, "-e", `${folder}/error.log`];
  },
};

const nghttpx: Peer = {
  name: "nghttpx",
  wires: ["grpc"],
  program: findProgram("nghttpx"),
  version: (program) => /nghttp2\/(\S+)/.exec(output(program, "--version"))?.[1] ?? "?",
  args: ({ port, backendPort }) => [
    "--conf=/dev/null",
    `-f127.0.0.1,${port};no-tls`,
    `-b127.0.0.1,${backendPort};/;proto=h2`,
    "--workers=1",
    "--single-process",
  ],
};

/** In the order of the report. Ratios are to the first Envoy of the same load. */
export const PEERS: readonly Peer[] = [
  LINCHPIN,
  envoy("envoy", "grpc"),
  envoy("envoy transcoder", "json"),
  gateway,
  nginx,
  haproxy,
  nghttpx,
];

/** Starts a peer on the core of the proxies; rejects with its last words when it does not come up. */
export async function startPeer(peer: Peer, program: string, backendPort: number, core: number) {
  const folder = join(SCRATCH, peer.name.replace(" ", "-"));
  // nginx as root gives its worker another user, who must get at the folder.
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const place: Place = { port: await freePort(), adminPort: await freePort(), backendPort, folder };
  const proc = start(peer.name, core, program, peer.args(place));
  try {
    await proc.listening(place.port);
  } catch (error) {
    await proc.stop();
    throw error;
  }
  return {
    name: peer.name,
    wires: peer.wires,
    port: place.port,
    adminPort: place.adminPort,
    proc,
  } satisfies RunningPeer;
}

function output(program: string, flag: string): string {
  // nginx prints its version on stderr.
  return execFileSync("sh", ["-c", `"$0" ${flag} 2>&1`, program], { encoding: "utf8" });
}
