// The foreign gRPC servers and clients of test/peers, and the hub in front of them.
import { join } from "node:path";
import { program, ROOT, run, type Server, startServer } from "./programs.js";

const PYTHON_PEER = join(ROOT, "test/peers/python");

/** Servers of test.v1.BehaviorService, health and reflection, by the name of their implementation. */
export const SERVERS: Readonly<Record<string, () => Promise<Server>>> = {
  "grpc-go": async () => startServer(program("linchpin-peer-go"), ["serve"]),
  grpcio: async () => startServer(python(), [join(PYTHON_PEER, "server.py")]),
  "grpc-js": () => startServer(process.execPath, [join(ROOT, "build/test/tools/support/grpc-js-server.js")]),
};

/** Clients that run the cases against a target. */
export const CLIENTS: Readonly<Record<string, () => readonly [string, ...string[]]>> = {
  "grpc-go": () => [program("linchpin-peer-go")],
  grpcio: () => [python(), join(PYTHON_PEER, "client.py")],
};

/** A grpcio server of test.v1.BehaviorService without reflection. */
export function startWithoutReflection(): Promise<Server> {
  return startServer(python(), [join(PYTHON_PEER, "server.py"), "grpcio", "--no-reflection"]);
}

/** The Python that has grpcio. */
export function python(): string {
  program("envoy"); // It lies in the same venv: without it, a python of the PATH has no grpcio.
  return join(ROOT, ".tools/venv/bin/python");
}

export interface Verdict {
  readonly name: string;
  /** Why the case failed; undefined when it held. */
  readonly error: string | undefined;
}

/** Runs all cases of a client against a target. */
export async function check(client: string, target: string): Promise<readonly Verdict[]> {
  const [command, ...args] = CLIENTS[client]?.() ?? [];
  if (command === undefined) throw new Error(`there is no client ${client}`);
  const ended = await run(command, [...args, "check", target]);
  const verdicts = ended.stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map(verdictOf);
  // A client that dies half-way has not run its last cases.
  const names = (await run(command, [...args, "cases"])).stdout.trim().split("\n");
  const missing = names.filter((name) => !verdicts.some((verdict) => verdict.name === name));
  return [
    ...verdicts,
    ...missing.map((name) => ({
      name,
      error: `it was not run; the client said: ${ended.stderr.slice(-2000)}`,
    })),
  ];
}

function verdictOf(line: string): Verdict {
  const value: unknown = JSON.parse(line);
  const get = (key: string): unknown =>
    typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  return { name: String(get("case")), error: get("ok") === true ? undefined : String(get("error")) };
}

/** Starts the hub, as its users do, in front of these targets. */
export function startHub(targets: readonly string[], options: readonly string[] = []): Promise<Server> {
  return startServer(process.execPath, [
    join(ROOT, "dist/main.js"),
    "serve",
    ...targets,
    "--listen=127.0.0.1:0",
    "--admin=127.0.0.1:0",
    ...options,
  ]);
}
