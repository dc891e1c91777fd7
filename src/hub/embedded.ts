// Services of the program that embeds the hub: validated, and combined with their schemas.

import type { Method } from "../call/call.js";
import { kindOf } from "../kit/text/kind-of.js";
import { didYouMean } from "../kit/text/nearest.js";
import { UserError } from "../kit/text/user-error.js";
import { mergeSchemas } from "../schema/types/merge-schemas.js";
import { isRoutable, type Schema, SchemaError } from "../schema/types/schema.js";
import type { EmbeddedService } from "../services/embedded-service.js";

/** The services that the program serves itself. */
export interface Embedded {
  readonly services: readonly EmbeddedService[];
  /** Of services with descriptors. */
  readonly schema: Schema;
  /** Services for gRPC clients only, and their methods. */
  readonly undescribed: ReadonlyMap<string, readonly Method[]>;
  /** Warnings beside those of `schema`, one sentence each. */
  readonly warnings: readonly string[];
}

/** Rejects with a UserError if a service cannot be served. */
export async function embed(services: readonly EmbeddedService[]): Promise<Embedded> {
  const names = new Set<string>();
  const schemas: { upstream: string; schema: Schema }[] = [];
  const undescribed = new Map<string, readonly Method[]>();
  const warnings: string[] = [];
  // With the compiler of .proto files, which most hubs need not load.
  const read = services.length === 0 ? undefined : await import("../schema/types/definition.js");
  for (const [i, service] of services.entries()) {
    checkService(service, `services[${i}]`);
    const name = nameOf(service);
    if (names.has(name)) throw new UserError(`service ${name} is given twice`);
    names.add(name);
    warnings.push(...notServed(name, service));
    const schema = read && schemaOf(name, service, read);
    if (schema !== undefined) {
      schemas.push({ upstream: name, schema });
    } else {
      undescribed.set(name, methodsOf(name, service));
      warnings.push(
        `service ${name} is for gRPC clients only: nothing describes its messages. Give it \`descriptors\`, a serialized FileDescriptorSet as \`buf build -o FILE\` writes it`,
      );
    }
  }
  const schema = mergeSchemas(schemas);
  return { services, schema, undescribed, warnings };
}

/** For programs in JavaScript, which no compiler has checked. */
function checkService(service: unknown, where: string): void {
  const form = "an object with a definition and an implementation";
  if (typeof service !== "object" || service === null)
    throw new UserError(`${where} is ${form}, not ${kindOf(service)}`);
  const {
    definition,
    implementation,
    descriptors,
  }: { definition?: unknown; implementation?: unknown; descriptors?: unknown } = service;
  if (typeof definition !== "object" || definition === null)
    throw new UserError(
      `${where}.definition must be what ts-proto generates as XService, or X.service of @grpc/proto-loader, not ${kindOf(definition)}`,
    );
  for (const [name, method] of Object.entries(definition)) {
    const path: unknown = Object(method).path;
    if (typeof path !== "string")
      throw new UserError(
        `${where}.definition.${name} has no path: it is no method of a service's definition`,
      );
  }
  if (typeof implementation !== "object" || implementation === null)
    throw new UserError(
      `${where}.implementation must be an object with the service's methods, not ${kindOf(implementation)}`,
    );
  if (descriptors !== undefined && !(descriptors instanceof Uint8Array))
    throw new UserError(
      `${where}.descriptors must be the bytes of a serialized FileDescriptorSet, not ${kindOf(descriptors)}`,
    );
}

/** Functions that look like methods, and that no call would reach. */
function notServed(name: string, { definition, implementation }: EmbeddedService): string[] {
  const known = Object.entries(definition).flatMap(([key, { path, originalName }]) => [
    key,
    originalName ?? path.slice(path.lastIndexOf("/") + 1),
  ]);
  return Object.entries(implementation).flatMap(([key, value]) =>
    typeof value !== "function" || known.includes(key)
      ? []
      : [`service ${name} has no method ${key}${didYouMean(key, known)}: that function is never called`],
  );
}

/** The full name, which a definition has only in its paths. */
function nameOf({ definition }: EmbeddedService): string {
  const paths = Object.values(definition).map(({ path }) => path);
  const names = new Set(paths.map((path) => /^\/([^/]+)\/[^/]+$/.exec(path)?.[1]));
  const [name] = names;
  if (name === undefined || names.size !== 1) {
    throw new UserError(
      `a service's definition must have methods, and their paths the form /package.Service/Method, not ${paths.join(", ") || "none"}`,
    );
  }
  if (!isRoutable(name)) throw new UserError(`service ${name} is the hub's own: it answers it itself`);
  return name;
}

function schemaOf(
  name: string,
  { definition, descriptors }: EmbeddedService,
  { schemaOfDefinition, schemaOfDescriptors }: typeof import("../schema/types/definition.js"),
): Schema | undefined {
  try {
    return descriptors === undefined
      ? schemaOfDefinition(name, Object.values(definition))
      : schemaOfDescriptors(name, descriptors);
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    throw new UserError(`service ${name}: ${error.message}`, { cause: error });
  }
}

function methodsOf(service: string, { definition }: EmbeddedService): Method[] {
  return Object.values(definition).map(({ path, requestStream, responseStream }) => ({
    service,
    name: path.slice(path.lastIndexOf("/") + 1),
    path,
    kind: requestStream
      ? responseStream
        ? "bidi_streaming"
        : "client_streaming"
      : responseStream
        ? "server_streaming"
        : "unary",
    idempotent: false,
    descriptor: undefined,
  }));
}
