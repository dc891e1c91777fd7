// Attacks by a service through what it says of itself: its reflection answers are more, deeper or longer than any schema.
// Each has a hub of its own with that service and an honest one, whose calls are answered meanwhile.

import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { filesOf } from "../../schema/support/files.js";
import type { Attack } from "./attacks.js";
import { behaviorClient, callUnary } from "./grpc.js";
import { startHubWithConfig } from "./hub.js";
import { peakResidentBytes, residentBytes } from "./memory.js";
import type { Scope } from "./program.js";
import { startService } from "./service.js";

const MIB = 1024 * 1024;
/** Each call of the bystander has this deadline. */
const DEADLINE_MS = 2000;
const PATIENCE_MS = 60_000;
/** While a schema is refused or read; the schema's own bytes among it. */
const MAX_GROWTH_BYTES = 256 * MIB;
const MAX_LOG_LINES = 150;
const PATH = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

interface Hostile {
  readonly name: string;
  readonly services: readonly string[];
  /** The serialized FileDescriptorProto of every service; undefined: it is refused, with this text. */
  readonly file: Uint8Array | undefined;
  readonly errorText?: string;
  /** What the hub says of it. */
  readonly says: RegExp;
}

const text = (no: number, value: string) =>
  new BinaryWriter()
    .uint32(no * 8 + 2)
    .string(value)
    .finish();
const within = (no: number, value: Uint8Array) =>
  new BinaryWriter()
    .uint32(no * 8 + 2)
    .bytes(value)
    .finish();

/** A file with a service `pkg.Echo`, and with more bytes of a FileDescriptorProto. */
function fileWith(more: Uint8Array, pkg = "evil"): Uint8Array {
  const init = {
    name: "evil.proto",
    package: pkg,
    messageType: [{ name: "Text" }],
    service: [{ name: "Echo", method: [{ name: "Say", inputType: "Text", outputType: "Text" }] }],
  };
  return Buffer.concat([filesOf(init).get("evil.proto") ?? Buffer.alloc(0), more]);
}

/** A service `evil.Bad` whose method's rule has so many additional bindings that are none. */
function badBindings(count: number): Uint8Array {
  const rule = Buffer.concat([
    text(2, "/ok"),
    ...Array.from({ length: count }, () => within(11, text(2, "/x{"))),
  ]);
  const options = new BinaryWriter()
    .uint32(72295728 * 8 + 2)
    .bytes(rule)
    .finish();
  const method = Buffer.concat([
    text(1, "Say"),
    text(2, ".evil.Text"),
    text(3, ".evil.Text"),
    within(4, options),
  ]);
  return fileWith(within(6, Buffer.concat([text(1, "Bad"), within(2, method)])));
}

function nestedMessages(depth: number): Uint8Array {
  let message: Uint8Array = text(1, "M");
  for (let i = 0; i < depth; i++) message = Buffer.concat([text(1, "M"), within(3, message)]);
  return fileWith(within(4, message));
}

/** Messages of ten fields each, as many as come to some 10 MB. */
function honest(): Uint8Array {
  const messages: Uint8Array[] = [];
  for (let i = 0; i < 20_000; i++) {
    const fields = Array.from({ length: 10 }, (_, n) => {
      const type = new BinaryWriter()
        .uint32(3 * 8)
        .int32(n + 1)
        .uint32(4 * 8)
        .int32(1)
        .uint32(5 * 8)
        .int32(11)
        .finish();
      return within(2, Buffer.concat([text(1, `a_field_of_it_${n}`), type, text(6, ".evil.Text")]));
    });
    messages.push(within(4, Buffer.concat([text(1, `Message${i}`), ...fields])));
  }
  return fileWith(Buffer.concat(messages));
}

const DEEP = "p.".repeat(3999).concat("evil");

const HOSTILES: readonly Hostile[] = [
  {
    name: "90,000 additional_bindings that are wrong",
    services: ["evil.Echo", "evil.Bad"],
    file: badBindings(90_000),
    says: /90000 additional_bindings/,
  },
  {
    name: "a package of 4,000 names",
    services: [`${DEEP}.Echo`],
    file: fileWith(Buffer.alloc(0), DEEP),
    says: /"evil.proto" is left out: .*the limits are 512 characters and 64 parts/,
  },
  {
    name: "messages 5,000 deep",
    services: ["evil.Echo"],
    file: nestedMessages(5000),
    says: /nests deeper than the limit of 64/,
  },
  {
    name: "three million fields of two bytes",
    services: ["evil.Echo"],
    file: fileWith(within(4, Buffer.concat([text(1, "M"), Buffer.alloc(6_000_000, Buffer.from([0x12, 0]))]))),
    says: /more than the limit of \d+ fields/,
  },
  {
    name: "20 services that are refused with 3 MB of text each",
    services: Array.from({ length: 20 }, (_, i) => `evil.Echo${i}`),
    file: undefined,
    errorText: "no ".repeat(1_000_000),
    // A busy machine may not get as far.
    says: /evil.Echo0 is for gRPC clients only|could not be learned within/,
  },
  { name: "an honest schema of 10 MB", services: ["evil.Echo"], file: honest(), says: /^$/ },
];

const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };

/** A server of nothing but reflection. */
async function startReflection(scope: Scope, { services, file, errorText = "" }: Hostile): Promise<string> {
  const server = new Server({ "grpc.max_send_message_length": -1 });
  const listed = Buffer.concat(services.map((name) => within(1, text(1, name))));
  const list = Buffer.from(within(6, listed));
  const error = Buffer.concat([Buffer.from([0x08, 5]), text(2, errorText)]);
  const answer = Buffer.from(file === undefined ? within(7, error) : within(4, within(1, file)));
  server.addService(
    {
      reflect: {
        path: PATH,
        requestStream: true,
        responseStream: true,
        ...{ requestSerialize: bytes.serialize, requestDeserialize: bytes.deserialize },
        ...{ responseSerialize: bytes.serialize, responseDeserialize: bytes.deserialize },
      },
    },
    {
      reflect: (call: ServerDuplexStream<Buffer, Buffer>) => {
        call.on("data", (query: Buffer) => {
          const [kind] = new BinaryReader(query).tag();
          call.write(kind === 7 ? list : answer);
        });
        call.on("end", () => call.end());
        call.on("error", () => {});
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (failed, bound) =>
      failed === null ? resolve(bound) : reject(failed),
    );
  });
  scope.after(async () => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

/** Fails when a call of the bystander does, the hub ends, or it takes or says too much. Returns what it did. */
export async function attackBySchema(scope: Scope, hostile: Hostile): Promise<string> {
  const behavior = await startService(scope, "behavior");
  const evil = await startReflection(scope, hostile);
  const hub = await startHubWithConfig(
    scope,
    `upstreams: { behavior: { endpoints: ["${behavior.address}"] }, evil: { endpoints: ["${evil}"] } }
readiness: { wait: 0s }
`,
  );
  const bystander = behaviorClient(scope, hub.address);
  const before = residentBytes(hub.program.pid);
  const settled = async (): Promise<boolean> => {
    if (hub.program.stderr.matching(hostile.says).length > 0) return true;
    const rows: unknown = await (await fetch(`${hub.adminUrl}/upstreams`)).json();
    return hostile.says.source === "^$" && JSON.stringify(rows).includes("evil.Echo");
  };
  let slowestMs = 0;
  let calls = 0;
  const limit = performance.now() + PATIENCE_MS;
  for (let more = true; more; ) {
    more = !(await settled());
    if (performance.now() > limit)
      throw new Error(`nothing was said: ${hub.program.stderr.lines.join("\n")}`);
    const from = performance.now();
    const { code, details } = await callUnary(
      bystander,
      {},
      { options: { deadline: Date.now() + DEADLINE_MS } },
    );
    if (code !== 0) throw new Error(`a call of a bystander ended with ${code}: ${details}`);
    slowestMs = Math.max(slowestMs, performance.now() - from);
    calls++;
  }
  const growth = peakResidentBytes(hub.program.pid) - before;
  if (growth > MAX_GROWTH_BYTES) throw new Error(`memory grew by ${growth} bytes`);
  const lines = hub.program.stderr.lines.length + hub.program.stdout.lines.length;
  if (lines > MAX_LOG_LINES) throw new Error(`${lines} lines in the log`);
  return `${calls} calls of a bystander meanwhile, the slowest ${Math.round(slowestMs)} ms; ${Math.round(growth / MIB)} MiB more`;
}

async function scoped(run: (scope: Scope) => Promise<string>): Promise<string> {
  const endings: (() => Promise<void>)[] = [];
  try {
    return await run({ after: (ending) => void endings.push(ending) });
  } finally {
    for (const ending of endings.reverse()) await ending();
  }
}

export const SCHEMA_ATTACKS: readonly Attack[] = HOSTILES.map((hostile) => ({
  name: `a schema: ${hostile.name}`,
  limits: [],
  run: () => scoped((scope) => attackBySchema(scope, hostile)),
}));
