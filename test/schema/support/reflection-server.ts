// A reflection server in memory, with the habits of real ones, for the tests of learning.
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { RpcError } from "#src/call/status/rpc-error.js";
import type { OpenReflectionStream, ReflectionStream } from "#src/schema/sources/reflection.js";

export interface ServerHabits {
  /** Services it lists; default all of the files. */
  readonly services?: readonly string[];
  /** grpc-go sends the file with all it needs, others the file alone. */
  readonly transitive?: boolean;
  readonly versions?: readonly ("v1" | "v1alpha")[];
  /** File names it answers NOT_FOUND for. */
  readonly hides?: readonly string[];
  /** What it says to what it does not have. */
  readonly errorText?: string;
  /** Bytes that take the place of the n-th answer (0: list_services). */
  readonly instead?: (n: number) => Uint8Array | undefined;
  /** Ends the call after so many answers: with OK, or the error. */
  readonly endsAfter?: number;
  readonly error?: RpcError;
}

/** What was asked, one line a query, `open v1` among them. */
export type Log = string[];

export function reflectionServer(
  files: ReadonlyMap<string, Uint8Array>,
  habits: ServerHabits = {},
  log: Log = [],
): OpenReflectionStream {
  const { versions = ["v1"], hides = [], transitive = false } = habits;
  const protos = new Map(
    [...files].map(([name, bytes]) => [name, fromBinary(FileDescriptorProtoSchema, bytes)]),
  );
  const symbols = new Map<string, string>();
  const services: string[] = [];
  for (const [name, proto] of protos) {
    const scope = proto.package === "" ? "" : `${proto.package}.`;
    for (const message of proto.messageType) symbols.set(scope + message.name, name);
    for (const service of proto.service) {
      symbols.set(scope + service.name, name);
      services.push(scope + service.name);
    }
  }

  const closure = (name: string, into = new Map<string, Uint8Array>()): Map<string, Uint8Array> => {
    const bytes = files.get(name);
    if (bytes === undefined || into.has(name)) return into;
    into.set(name, bytes);
    if (transitive) for (const file of protos.get(name)?.dependency ?? []) closure(file, into);
    return into;
  };
  const fileAnswer = (name: string | undefined): Uint8Array => {
    if (name === undefined || !files.has(name) || hides.includes(name)) {
      const error = new BinaryWriter()
        .uint32(8)
        .int32(5)
        .uint32(18)
        .string(habits.errorText ?? "no such thing")
        .finish();
      return new BinaryWriter().uint32(58).bytes(error).finish();
    }
    const body = new BinaryWriter();
    for (const bytes of closure(name).values()) body.uint32(10).bytes(bytes);
    return new BinaryWriter().uint32(34).bytes(body.finish()).finish();
  };
  const listAnswer = (): Uint8Array => {
    const body = new BinaryWriter();
    for (const name of habits.services ?? services) body.uint32(10).fork().uint32(10).string(name).join();
    return new BinaryWriter().uint32(50).bytes(body.finish()).finish();
  };
  const answer = (query: Uint8Array): Uint8Array => {
    const reader = new BinaryReader(query);
    const [no] = reader.tag();
    const argument = reader.string();
    log.push(`${no === 7 ? "list" : no === 3 ? "file" : "symbol"} ${argument}`);
    if (no === 7) return listAnswer();
    return fileAnswer(no === 3 ? argument : symbols.get(argument));
  };

  return (path): ReflectionStream => {
    const version = path.split(".")[2] === "v1" ? "v1" : "v1alpha";
    log.push(`open ${version}`);
    const queue: Uint8Array[] = [];
    let wake = (): void => {};
    let over = false;
    return {
      send: (message) => {
        queue.push(message);
        wake();
      },
      end: () => log.push("end"),
      cancel: () => {
        over = true;
        wake();
      },
      messages: (async function* () {
        if (!versions.includes(version)) throw new RpcError(12, "unknown service");
        for (let n = 0; ; n++) {
          if (n === habits.endsAfter) {
            if (habits.error !== undefined) throw habits.error;
            return;
          }
          while (queue.length === 0 && !over) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
          const query = queue.shift();
          if (query === undefined) return;
          yield habits.instead?.(n) ?? answer(query);
        }
      })(),
    };
  };
}
