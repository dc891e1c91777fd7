// The health service as a client of it sees it: how tests wait for what the hub has learned, without asking again.
import { Client, type ClientReadableStream, type ServiceError, status } from "@grpc/grpc-js";
import { insecure } from "./grpc.js";
import type { Scope } from "./program.js";

export type Serving = "UNKNOWN" | "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";
const SERVING: readonly Serving[] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const PATIENCE_MS = 20_000;

/** HealthCheckRequest { string service = 1 } */
function encode(service: string): Buffer {
  const name = Buffer.from(service);
  return name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
}

/** HealthCheckResponse { ServingStatus status = 1 } */
function decode(bytes: Buffer): Serving {
  return SERVING[bytes.length === 0 ? 0 : (bytes[1] ?? 0)] ?? "UNKNOWN";
}

export class HealthClient {
  private readonly client: Client;

  constructor(scope: Scope, address: string) {
    this.client = new Client(address, insecure, { "grpc.use_local_subchannel_pool": 1 });
    scope.after(async () => this.client.close());
  }

  /** `{ serving }`, or the code of the failure. */
  check(service: string): Promise<{ serving: Serving } | { code: number }> {
    return new Promise((resolve) => {
      const done = (error: ServiceError | null, serving?: Serving): void =>
        resolve(error === null ? { serving: serving ?? "UNKNOWN" } : { code: error.code });
      this.client.makeUnaryRequest("/grpc.health.v1.Health/Check", encode, decode, service, done);
    });
  }

  watch(service: string): ClientReadableStream<Serving> {
    const call = this.client.makeServerStreamRequest("/grpc.health.v1.Health/Watch", encode, decode, service);
    call.on("error", () => {});
    return call;
  }

  /** Resolves with the states up to the one that is waited for. */
  until(service: string, wanted: Serving): Promise<readonly Serving[]> {
    const call = this.watch(service);
    const seen: Serving[] = [];
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        clearTimeout(timer);
        call.cancel();
        if (error === undefined) resolve(seen);
        else reject(error);
      };
      const timer = setTimeout(
        () => end(new Error(`${service} is ${seen.join(", ")}, not ${wanted}`)),
        PATIENCE_MS,
      );
      call.on("data", (serving: Serving) => {
        seen.push(serving);
        if (serving === wanted) end();
      });
      call.on("status", ({ code, details }) => {
        if (code !== status.CANCELLED) end(new Error(`Watch ended with ${code}: ${details}`));
      });
    });
  }
}
