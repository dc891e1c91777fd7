// The common part of every sample server: its services, health, reflection, and its name in each response.
import {
  type Metadata,
  ResponderBuilder,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { addHealth, type Health } from "../../services/health.js";
import { type Image, imageIndex } from "../../services/image.js";
import { addReflection } from "../../services/reflection.js";
import { HEALTH_SERVICE, REFLECTION_SERVICES } from "../../services/service-names.js";

export interface ServeOptions {
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** Default: 0, any free port. */
  readonly port?: number;
  /** The value of the header `x-served-by`. */
  readonly instance?: string;
  /** Whether the server has reflection. Default: true. */
  readonly reflection?: boolean;
  /** The services' descriptors for reflection. Default: those of the package. */
  readonly image?: Image;
  /** Default: clear text. */
  readonly credentials?: ServerCredentials;
}

export interface RunningSample {
  /** `host:port`, as bound. */
  readonly address: string;
  /** To play a service that is down. */
  readonly health: Health;
  /** Running calls have this long to end, then they are aborted. Default: 500 ms. 0: at once. */
  close(graceMs?: number): Promise<void>;
}

export interface SampleService {
  readonly name: string;
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

const CLOSE_GRACE_MS = 500;

/** Starts a gRPC server. Rejects when it cannot listen. */
export async function serve(
  services: readonly SampleService[],
  options: ServeOptions,
): Promise<RunningSample> {
  const host = options.host ?? "127.0.0.1";
  const server = new Server({
    interceptors: options.instance === undefined ? [] : [servedBy(options.instance)],
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  for (const { definition, implementation } of services) server.addService(definition, implementation);
  const names = services.map(({ name }) => name);
  const health = addHealth(server, () => new Map(names.map((name) => [name, undefined])));
  if (options.reflection ?? true) {
    const listed = [...names, HEALTH_SERVICE, ...REFLECTION_SERVICES];
    addReflection(server, { serviceNames: () => listed, index: () => imageIndex(options.image) });
  }

  const wanted = `${host.includes(":") ? `[${host}]` : host}:${options.port ?? 0}`;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(wanted, options.credentials ?? ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(new Error(`cannot listen on ${wanted}: ${causeOf(error.message)}`));
    });
  });

  let closed: Promise<void> | undefined;
  const close = (graceMs: number): Promise<void> =>
    new Promise((resolve) => {
      health.set("", false);
      const timer = setTimeout(() => {
        server.forceShutdown();
        resolve();
      }, graceMs);
      server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  return {
    address: wanted.slice(0, wanted.lastIndexOf(":") + 1) + port,
    health,
    close: (graceMs = CLOSE_GRACE_MS) => {
      closed ??= close(graceMs);
      return closed;
    },
  };
}

/** grpc-js puts the reason in brackets, after a general text: `… errors: [listen EADDRINUSE: …]`. */
function causeOf(message: string): string {
  const bracket = message.indexOf("[");
  if (bracket < 0 || !message.endsWith("]")) return message;
  return message.slice(bracket + 1, -1).replace(/^listen /, "");
}

/** Adds `x-served-by` to the headers of each response, or to the trailers if there are only those. */
function servedBy(instance: string): ServerInterceptor {
  return (_method, call) => {
    let headersSent = false;
    const name = (metadata: Metadata): void => metadata.set("x-served-by", instance);
    return new ServerInterceptingCall(
      call,
      new ResponderBuilder()
        .withSendMetadata((metadata, next) => {
          headersSent = true;
          name(metadata);
          next(metadata);
        })
        .withSendStatus((status, next) => {
          if (!headersSent && status.metadata !== null && status.metadata !== undefined)
            name(status.metadata);
          next(status);
        })
        .build(),
    );
  };
}
