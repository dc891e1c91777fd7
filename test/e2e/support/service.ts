// A sample service in a process of its own, as a program (`node service.js KIND …`) and as what starts it.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { LibraryServiceService as LibraryV1 } from "#generated/library/v1/library.js";
import { type BehaviorServiceServer, BehaviorServiceService } from "#generated/test/v1/behavior.js";
import { FileServiceService } from "#generated/test/v1/files.js";
import { type RunningSample, type ServeOptions, serve } from "#src/samples/common/serve.js";
import { behavior } from "#src/samples/echo/behavior.js";
import { startLibrary } from "#src/samples/library/server.js";
import { Store } from "#src/samples/library/store.js";
import { libraryV1 } from "#src/samples/library/v1.js";
import { files } from "./files.js";
import { kinds } from "./kinds.js";
import { type Program, type Scope, startNode } from "./program.js";

export type Kind = "behavior" | "behavior-and-kinds" | "files" | "kinds" | "library" | "library-v1";

/** A service's process. It prints `began METHOD ID` and `cancelled METHOD ID` for calls with an `x-call-id`. */
export interface Service {
  /** HOST:PORT */
  readonly address: string;
  readonly program: Program;
}

export interface ServiceOptions {
  readonly instance?: string;
  /** HOST:PORT where it shall listen; default: any free port. */
  readonly address?: string;
  readonly reflection?: boolean;
}

/** Starts a service in its own process; resolves once it takes calls. */
export async function startService(scope: Scope, kind: Kind, options: ServiceOptions = {}): Promise<Service> {
  const args: string[] = [kind];
  if (options.instance !== undefined) args.push(`--instance=${options.instance}`);
  if (options.address !== undefined) args.push(`--port=${options.address.split(":").pop() ?? ""}`);
  if (options.reflection === false) args.push("--no-reflection");
  const program = startNode(scope, fileURLToPath(import.meta.url), args);
  const [, address = ""] = await program.stdout.waitFor(/^listening on (\S+)$/);
  program.mustLive();
  return { address, program };
}

type AnyCall =
  | Parameters<BehaviorServiceServer["unary"]>[0]
  | Parameters<BehaviorServiceServer["clientStream"]>[0];

/** A service that tells of the calls that it is told to watch. */
function watched(implementation: BehaviorServiceServer, say: (line: string) => void): BehaviorServiceServer {
  const watch = (method: string, call: Pick<AnyCall, "metadata"> & NodeJS.EventEmitter): void => {
    const [id] = call.metadata.get("x-call-id");
    if (id === undefined) return;
    say(`began ${method} ${String(id)}`);
    call.on("cancelled", () => say(`cancelled ${method} ${String(id)}`));
  };
  return {
    unary: (call, callback) => {
      watch("unary", call);
      implementation.unary(call, callback);
    },
    serverStream: (call) => {
      watch("serverStream", call);
      implementation.serverStream(call);
    },
    clientStream: (call, callback) => {
      watch("clientStream", call);
      implementation.clientStream(call, callback);
    },
    bidiStream: (call) => {
      watch("bidiStream", call);
      implementation.bidiStream(call);
    },
  };
}

const BEHAVIOR = { name: "test.v1.BehaviorService", definition: BehaviorServiceService };

/** The behavior service, or one that takes its place, in this process. */
export async function serveBehavior(
  scope: Scope,
  implementation: BehaviorServiceServer = behavior(""),
  options: ServeOptions = {},
): Promise<RunningSample> {
  const running = await serve([{ ...BEHAVIOR, implementation }], { image: "image.binpb", ...options });
  scope.after(() => running.close());
  return running;
}

const STARTERS: Readonly<Record<Kind, (options: ServeOptions) => Promise<RunningSample>>> = {
  behavior: (options) => {
    const implementation = watched(behavior(options.instance ?? ""), console.log);
    return serve([{ ...BEHAVIOR, implementation }], options);
  },
  "behavior-and-kinds": (options) => {
    const implementation = watched(behavior(options.instance ?? ""), console.log);
    return serve([{ ...BEHAVIOR, implementation }, kinds()], options);
  },
  files: (options) =>
    serve(
      [{ name: "test.v1.FileService", definition: FileServiceService, implementation: files() }],
      options,
    ),
  kinds: (options) => serve([kinds()], options),
  library: (options) => startLibrary(options),
  "library-v1": (options) => {
    const implementation = libraryV1(new Store());
    return serve([{ name: "library.v1.LibraryService", definition: LibraryV1, implementation }], options);
  },
};

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(STARTERS, kind);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { instance: { type: "string" }, port: { type: "string" }, "no-reflection": { type: "boolean" } },
    allowPositionals: true,
  });
  const [kind = ""] = positionals;
  if (!isKind(kind)) throw new Error(`no service ${kind}`);
  const running = await STARTERS[kind]({
    image: "image.binpb",
    port: Number(values.port ?? 0),
    reflection: values["no-reflection"] !== true,
    ...(values.instance === undefined ? {} : { instance: values.instance }),
  });
  process.once("SIGTERM", () => void running.close().then(() => process.exit(0)));
  console.log(`listening on ${running.address}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
