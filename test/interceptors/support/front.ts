// A listener with the interceptors under test in front of a service that takes every call, and both kinds of client:
// grpc-js, and Node's HTTP/1.1 client for JSON. What a client is told, and what the service saw, come back as one value.
import { Client, Metadata, type StatusObject } from "@grpc/grpc-js";
import type { Identity, PeerCertificate } from "#src/call/call.js";
import type { Interceptor, InterceptorContext, Step } from "#src/call/interceptor.js";
import { decodeStatusProto } from "#src/call/status/status.js";
import { NO_METERS } from "#src/kit/meters.js";
import { Retained } from "#src/kit/retained.js";
import { ask1, Rig } from "../../downstream/support/rig.js";
import { insecure } from "../../e2e/support/grpc.js";
import { methodOf } from "../../support/sinks.js";

/** `[name, value]` pairs; a name may come more than once. */
export type Fields = readonly (readonly [string, string])[];

export interface Seen {
  /** gRPC code. */
  readonly code: number;
  /** HTTP status; 200 for gRPC. */
  readonly http: number;
  readonly message: string;
  /** ErrorInfo's reason (told over gRPC here). */
  readonly reason: string | undefined;
  /** WWW-Authenticate. */
  readonly challenge: string;
  readonly retryAfter: string | undefined;
  /** What the service got; undefined: it was not called. */
  readonly fields: Fields | undefined;
  readonly identity: Identity | undefined;
}

/** Fields have their own names alone upstream. */
export const NO_PREFIX = { standardPrefix: "" };

export const PROTOCOLS = ["grpc", "json"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

const METHOD = methodOf("/test.v1.Test/unary", "unary");

export class Front {
  readonly rig = new Rig();
  readonly retained = new Retained();
  /** What was logged, `warn: text` each. */
  readonly log: string[] = [];
  readonly context: InterceptorContext;
  private client: Client | undefined = undefined;

  constructor() {
    const say = (level: string) => (message: string) => void this.log.push(`${level}: ${message}`);
    this.context = {
      clock: this.rig.clock,
      log: { info: say("info"), warn: say("warn"), error: say("error") },
      retained: this.retained,
      meters: NO_METERS,
    };
  }

  /** Puts these in force, as a start or a reload does. */
  use(make: (context: InterceptorContext) => readonly Interceptor[], certificate?: PeerCertificate): void {
    this.retained.begin();
    let interceptors: readonly Interceptor[];
    try {
      interceptors = make(this.context);
    } catch (error) {
      this.retained.rollback();
      throw error;
    }
    this.retained.commit();
    const steps: Step[] = interceptors.flatMap((interceptor) => interceptor.plan(METHOD) ?? []);
    // Stands for the listener's TLS.
    const tls: Step = {
      name: "tls",
      start: ({ peer }) =>
        void Object.defineProperty(peer, "certificate", { value: certificate, configurable: true }),
    };
    this.rig.steps.splice(0, Number.POSITIVE_INFINITY, tls, ...steps);
  }

  async start(): Promise<this> {
    await this.rig.start();
    this.client = new Client(this.rig.address, insecure, {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
    });
    return this;
  }

  async close(): Promise<void> {
    this.client?.close();
    this.retained.close();
    await this.rig.listener.close();
  }

  ask(protocol: Protocol, fields: Fields): Promise<Seen> {
    return protocol === "grpc" ? this.grpc(fields) : this.json(fields);
  }

  private async grpc(fields: Fields): Promise<Seen> {
    const metadata = new Metadata();
    for (const [name, value] of fields) {
      metadata.add(name, name.endsWith("-bin") ? Buffer.from(value, "base64") : value);
    }
    const before = this.rig.calls.length;
    const same = (bytes: Buffer): Buffer => bytes;
    const status = await new Promise<StatusObject>((resolve) => {
      this.client
        ?.makeUnaryRequest(METHOD.path, same, same, Buffer.from("q"), metadata, () => {})
        .on("status", resolve);
    });
    const trailers = status.metadata;
    const bin = trailers.get("grpc-status-details-bin")[0];
    return {
      code: status.code,
      http: 200,
      message: status.details,
      reason: Buffer.isBuffer(bin) ? reasonIn(bin) : undefined,
      challenge: trailers.get("www-authenticate").join(", "),
      retryAfter: trailers.get("retry-after")[0]?.toString(),
      ...this.serviceSaw(before),
    };
  }

  private async json(fields: Fields): Promise<Seen> {
    const headers: Record<string, string[]> = {};
    for (const [name, value] of fields) {
      headers[name] ??= [];
      headers[name].push(value);
    }
    const before = this.rig.calls.length;
    const answer = await ask1(this.rig, { path: "/unary", body: "q", headers });
    const error: { code?: number; message?: string } = answer.status === 200 ? {} : JSON.parse(answer.body);
    return {
      code: error.code ?? 0,
      http: answer.status,
      message: error.message ?? "",
      reason: undefined,
      challenge: answer.headers["www-authenticate"] ?? "",
      retryAfter: answer.headers["retry-after"],
      ...this.serviceSaw(before),
    };
  }

  private serviceSaw(before: number): Pick<Seen, "fields" | "identity"> {
    const call = this.rig.calls[before]?.call;
    return {
      fields: call?.headers.fields.map(({ name, value }) => [name, value] as const),
      identity: call?.identity,
    };
  }
}

/** Values of a field that the service got. */
export function got(seen: Seen, name: string): string[] | undefined {
  return seen.fields?.filter(([n]) => n === name).map(([, value]) => value);
}

/** The ErrorInfo's reason: its first field, after tag and length. */
function reasonIn(bin: Buffer): string | undefined {
  const detail = decodeStatusProto(bin)?.details.find(({ typeUrl }) => typeUrl.endsWith(".ErrorInfo"));
  if (detail === undefined) return undefined;
  const bytes = Buffer.from(detail.value);
  return bytes.toString("utf8", 2, 2 + (bytes[1] ?? 0));
}
