// gRPC's interop cases through the hub: clients and servers of grpc-go and grpcio, each with each, and the client in
// clear text and over TLS. Cases: https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md
import { join } from "node:path";
import { python } from "../tools/support/peers.js";
import { type Ended, program, ROOT, run, type Server, startServer } from "../tools/support/programs.js";
import { type ConformanceHub, startConformanceHub } from "./hub.js";

export type Language = "grpc-go" | "grpcio";
export type Outcome =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly error: string }
  | { readonly kind: "not offered"; readonly by: string };

/** One client, one server, one way between client and hub. */
export interface InteropColumn {
  readonly client: Language;
  readonly server: Language;
  readonly tls: boolean;
  /** By case; each of `INTEROP_CASES` is in it. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

/** All of the descriptions but those that need accounts of a cloud, or a cache of HTTP GET, which gRPC gave up. */
export const INTEROP_CASES = [
  "empty_unary",
  "large_unary",
  "client_compressed_unary",
  "server_compressed_unary",
  "client_streaming",
  "client_compressed_streaming",
  "server_streaming",
  "server_compressed_streaming",
  "ping_pong",
  "empty_stream",
  "timeout_on_sleeping_server",
  "cancel_after_begin",
  "cancel_after_first_response",
  "custom_metadata",
  "status_code_and_message",
  "special_status_message",
  "unimplemented_method",
  "unimplemented_service",
  "pick_first_unary",
  "rpc_soak",
  "channel_soak",
  "orca_per_rpc",
  "orca_oob",
] as const;
type Case = (typeof INTEROP_CASES)[number];

/** What a side does not have: the published programs leave it out, or their library does not tell what it takes. */
const CLIENT_LACKS: Readonly<Record<Language, readonly Case[]>> = {
  // It cannot compress one message of a stream and not the next.
  "grpc-go": ["client_compressed_streaming"],
  // It does not say whether a response came compressed; it has no load reports.
  grpcio: ["server_compressed_unary", "server_compressed_streaming", "orca_per_rpc", "orca_oob"],
};
const SERVER_LACKS: Readonly<Record<Language, readonly Case[]>> = {
  // As above; and it has no name.
  "grpc-go": ["server_compressed_streaming", "pick_first_unary"],
  // It does not say whether a request came compressed; it has no load reports.
  grpcio: ["client_compressed_unary", "client_compressed_streaming", "orca_per_rpc", "orca_oob"],
};
/** On grpc-go, but not in its published programs: test/conformance/go has them. */
const OUR_GO: readonly Case[] = INTEROP_CASES.filter((name) => name.includes("_compressed_"));

const PROTOSET = join(ROOT, ".tools/interop.binpb");
const PYTHON_FOLDER = join(ROOT, "test/conformance/python");
/** What the published client asks for in its cases with load reports. */
const LOAD_REPORTS = '{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}';
/** Clients at a time: each is a process. */
const AT_ONCE = 4;

export async function runInterop(): Promise<readonly InteropColumn[]> {
  const stops: (() => Promise<void>)[] = [];
  try {
    const hubBefore = async (server: Server): Promise<ConformanceHub> => {
      stops.push(() => server.stop());
      const hub = await startConformanceHub(server.address, PROTOSET);
      stops.push(() => hub.stop());
      return hub;
    };
    const published = [program("grpc-go-interop-server"), ["--port=0"]] as const;
    const go = await hubBefore(await startServer(...published, { GRPC_GO_LOG_SEVERITY_LEVEL: "info" }));
    const ourGo = await hubBefore(await startServer(program("linchpin-interop"), ["serve"]));
    const grpcio = await hubBefore(await startServer(python(), [join(PYTHON_FOLDER, "server.py")]));
    return await runCells((server, name) =>
      server === "grpcio" ? grpcio : OUR_GO.includes(name) ? ourGo : go,
    );
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function runCells(
  hubFor: (server: Language, name: Case) => ConformanceHub,
): Promise<readonly InteropColumn[]> {
  const columns = (["grpc-go", "grpcio"] as const).flatMap((client) =>
    (["grpc-go", "grpcio"] as const).flatMap((server) =>
      [false, true].map((tls) => ({ client, server, tls, outcomes: new Map<string, Outcome>() })),
    ),
  );
  const cells = columns.flatMap((column) => INTEROP_CASES.map((name) => ({ column, name })));
  const next = cells.values();
  const work = async (): Promise<void> => {
    for (const { column, name } of next) {
      const hub = hubFor(column.server, name);
      column.outcomes.set(name, await outcome(column, name, hub));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return columns;
}

async function outcome(
  column: Omit<InteropColumn, "outcomes">,
  name: Case,
  hub: ConformanceHub,
): Promise<Outcome> {
  const { client, server, tls } = column;
  const lacking = [
    ...(CLIENT_LACKS[client].includes(name) ? [`${client}'s client`] : []),
    ...(SERVER_LACKS[server].includes(name) ? [`${server}'s server`] : []),
  ];
  if (lacking.length > 0) return { kind: "not offered", by: lacking.join(" and ") };
  const [command, ...args] = clientOf(client, name, tls ? hub.tls : hub.clear, tls ? hub.ca : undefined);
  return outcomeOf(await run(command, args));
}

function clientOf(client: Language, name: Case, address: string, ca?: string): [string, ...string[]] {
  if (client === "grpcio")
    return [python(), join(PYTHON_FOLDER, "client.py"), address, name, ...(ca ? [ca] : [])];
  if (OUR_GO.includes(name))
    return [program("linchpin-interop"), "check", address, name, ...(ca ? [ca] : [])];
  const [host = "", port = ""] = address.split(":");
  return [
    program("grpc-go-interop-client"),
    `--server_host=${host}`,
    `--server_port=${port}`,
    `--test_case=${name}`,
    ...(name.startsWith("orca_") ? [`--service_config_json=${LOAD_REPORTS}`] : []),
    ...(ca === undefined ? [] : ["--use_tls", "--use_test_ca", `--ca_file=${ca}`]),
  ];
}

function outcomeOf({ code, stdout, stderr }: Ended): Outcome {
  if (code === 0) return { kind: "passed" };
  const said = `${stdout}${stderr}`.trim().split("\n").at(-1) ?? "";
  return { kind: "failed", error: `exit code ${code}: ${said}` };
}
