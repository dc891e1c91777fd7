// Envoy's grpc_json_transcoder and grpc-gateway in front of the tests' services: what the hub's presets are held against.
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { temporaryFolder } from "../../e2e/support/hub.js";
import type { Scope } from "../../e2e/support/program.js";
import { program, ROOT, startServer } from "./programs.js";

/** The services by the kinds of e2e/support/service.ts, with their HOST:PORT. */
export type Services = Readonly<Record<"behavior" | "files" | "kinds" | "library", string>>;

const NAMES: Readonly<Record<keyof Services, string>> = {
  behavior: "test.v1.BehaviorService",
  files: "test.v1.FileService",
  kinds: "test.v1.KindsService",
  library: "library.v1.LibraryService",
};
const KINDS = ["behavior", "files", "kinds", "library"] as const;

/** What `make tools` makes of generated/image.binpb with test/peers/gateway/image.mjs. */
const IMAGE = join(ROOT, ".tools/peers.binpb");
const START_TIMEOUT_MS = 20_000;
const POLL_MS = 50;

const nameOf = (index: number): string => `listener-${index}`;

/** grpc-gateway; resolves with HOST:PORT once it listens. */
export async function startGateway(scope: Scope, services: Services): Promise<string> {
  const args = KINDS.map((kind) => `-${kind}=${services[kind]}`);
  const server = await startServer(program("linchpin-peer-gateway"), args);
  scope.after(() => server.stop());
  return server.address;
}

/**
 * Envoy with a listener for each of these settings of GrpcJsonTranscoder (JSON of its v3 message; services and
 * descriptors are added); resolves with HOST:PORT of each once it listens.
 */
export async function startEnvoy(
  scope: Scope,
  services: Services,
  transcoders: readonly object[],
): Promise<readonly string[]> {
  const folder = await temporaryFolder(scope);
  const file = join(folder, "envoy.json");
  const adminFile = join(folder, "admin");
  await writeFile(file, JSON.stringify(envoyConfig(services, transcoders)));
  // Envoys of one machine meet in shared memory, unless each has an id of its own.
  const args = ["-c", file, "--admin-address-path", adminFile, "--use-dynamic-base-id"];
  const child = spawn(program("envoy"), [...args, "--concurrency", "1", "-l", "error"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString("utf8");
  });
  // It has nothing to lose, and takes its time otherwise. The script that starts it has become it (exec).
  scope.after(async () => void child.kill("SIGKILL"));
  const until = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < until && child.exitCode === null) {
    const addresses = await listenersOf(adminFile);
    const found = transcoders.flatMap((_, i) => addresses.get(nameOf(i)) ?? []);
    if (found.length === transcoders.length) return found;
    await pause(POLL_MS);
  }
  throw new Error(`Envoy did not start: ${said}`);
}

/** Listeners that the admin page of a running Envoy tells, with their HOST:PORT. */
async function listenersOf(adminFile: string): Promise<ReadonlyMap<string, string>> {
  const address = await readFile(adminFile, "utf8").catch(() => "");
  if (address === "") return new Map();
  const text = await fetch(`http://${address}/listeners`).then(
    (r) => r.text(),
    () => "",
  );
  return new Map(
    text.split("\n").map((line): [string, string] => {
      const [, name = "", at = ""] = /^(.*)::(.*)$/.exec(line) ?? [];
      return [name, at];
    }),
  );
}

const TYPES = "type.googleapis.com/envoy.extensions";
const socket = (port_value: number) => ({ socket_address: { address: "127.0.0.1", port_value } });

function envoyConfig(services: Services, transcoders: readonly object[]): object {
  const routes = KINDS.map((kind) => ({
    match: { prefix: `/${NAMES[kind]}/` },
    route: { cluster: kind, timeout: "0s" },
  }));
  const listener = (transcoder: object, index: number) => {
    const name = nameOf(index);
    const typed_config = {
      "@type": `${TYPES}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder`,
      proto_descriptor: IMAGE,
      services: Object.values(NAMES),
      ...transcoder,
    };
    const manager = {
      "@type": `${TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: name,
      route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
      http_filters: [
        { name: "envoy.filters.http.grpc_json_transcoder", typed_config },
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": `${TYPES}.filters.http.router.v3.Router` },
        },
      ],
    };
    const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }];
    return { name, address: socket(0), filter_chains: [{ filters }] };
  };
  const cluster = (kind: keyof Services) => ({
    name: kind,
    type: "STATIC",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": `${TYPES}.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: kind,
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: socket(Number(services[kind].split(":").pop())) } }] },
      ],
    },
  });
  return {
    admin: { address: socket(0) },
    static_resources: {
      listeners: transcoders.map(listener),
      clusters: KINDS.map(cluster),
    },
  };
}
