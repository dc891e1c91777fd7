// A collector: takes OTLP over gRPC and over HTTP, and keeps what it was sent.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import type { Scope } from "../../e2e/support/program.js";
import { until } from "../../support/until.js";

// The messages of opentelemetry.proto.* as far as the tests look at them; names of our own, field numbers of theirs.
const root = protobuf.Root.fromJSON({
  nested: {
    Value: {
      oneofs: { value: { oneof: ["text", "flag", "integer", "double"] } },
      fields: {
        text: { type: "string", id: 1 },
        flag: { type: "bool", id: 2 },
        integer: { type: "int64", id: 3 },
        double: { type: "double", id: 4 },
      },
    },
    Attribute: { fields: { key: { type: "string", id: 1 }, value: { type: "Value", id: 2 } } },
    Resource: { fields: { attributes: { rule: "repeated", type: "Attribute", id: 1 } } },
    SpanStatus: { fields: { message: { type: "string", id: 2 }, code: { type: "int32", id: 3 } } },
    Span: {
      fields: {
        traceId: { type: "bytes", id: 1 },
        spanId: { type: "bytes", id: 2 },
        traceState: { type: "string", id: 3 },
        parentSpanId: { type: "bytes", id: 4 },
        name: { type: "string", id: 5 },
        kind: { type: "int32", id: 6 },
        start: { type: "fixed64", id: 7 },
        end: { type: "fixed64", id: 8 },
        attributes: { rule: "repeated", type: "Attribute", id: 9 },
        status: { type: "SpanStatus", id: 15 },
      },
    },
    ScopeSpans: { fields: { spans: { rule: "repeated", type: "Span", id: 2 } } },
    ResourceSpans: {
      fields: {
        resource: { type: "Resource", id: 1 },
        scopes: { rule: "repeated", type: "ScopeSpans", id: 2 },
      },
    },
    TraceRequest: { fields: { resources: { rule: "repeated", type: "ResourceSpans", id: 1 } } },
    NumberPoint: {
      fields: {
        double: { type: "double", id: 4 },
        integer: { type: "sfixed64", id: 6 },
        attributes: { rule: "repeated", type: "Attribute", id: 7 },
      },
    },
    HistogramPoint: {
      fields: {
        count: { type: "fixed64", id: 4 },
        sum: { type: "double", id: 5 },
        buckets: { rule: "repeated", type: "fixed64", id: 6 },
        bounds: { rule: "repeated", type: "double", id: 7 },
        attributes: { rule: "repeated", type: "Attribute", id: 9 },
      },
    },
    Gauge: { fields: { points: { rule: "repeated", type: "NumberPoint", id: 1 } } },
    Sum: {
      fields: {
        points: { rule: "repeated", type: "NumberPoint", id: 1 },
        temporality: { type: "int32", id: 2 },
        monotonic: { type: "bool", id: 3 },
      },
    },
    Histogram: {
      fields: {
        points: { rule: "repeated", type: "HistogramPoint", id: 1 },
        temporality: { type: "int32", id: 2 },
      },
    },
    Metric: {
      fields: {
        name: { type: "string", id: 1 },
        unit: { type: "string", id: 3 },
        gauge: { type: "Gauge", id: 5 },
        sum: { type: "Sum", id: 7 },
        histogram: { type: "Histogram", id: 9 },
      },
    },
    ScopeMetrics: { fields: { metrics: { rule: "repeated", type: "Metric", id: 2 } } },
    ResourceMetrics: {
      fields: {
        resource: { type: "Resource", id: 1 },
        scopes: { rule: "repeated", type: "ScopeMetrics", id: 2 },
      },
    },
    MetricsRequest: { fields: { resources: { rule: "repeated", type: "ResourceMetrics", id: 1 } } },
  },
});

type Json = Readonly<Record<string, unknown>>;

function decode(type: string, bytes: Uint8Array): Json {
  const message = root.lookupType(type);
  return message.toObject(message.decode(bytes), { longs: Number, arrays: true, oneofs: false });
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isJson) : [];
}

function hex(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : "";
}

export type Attributes = Readonly<Record<string, unknown>>;

function attributesOf(value: unknown): Attributes {
  return Object.fromEntries(
    list(value).map(({ key, value: of }) => [String(key), isJson(of) ? Object.values(of)[0] : undefined]),
  );
}

export interface ReceivedSpan {
  readonly service: unknown;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: the root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: "server" | "client" | "other";
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  /** 0 unset, 1 ok, 2 error */
  readonly status: number;
}

export interface ReceivedMetric {
  readonly service: unknown;
  readonly name: string;
  readonly unit: string;
  readonly type: "gauge" | "sum" | "histogram";
  readonly monotonic: boolean;
  readonly points: readonly {
    readonly attributes: Attributes;
    readonly value: number;
    readonly count: number;
    readonly buckets: readonly unknown[];
    readonly bounds: readonly unknown[];
  }[];
}

export class Collector {
  readonly spans: ReceivedSpan[] = [];
  /** Of the last export. */
  metrics: readonly ReceivedMetric[] = [];
  metricExports = 0;

  takeTraces(bytes: Uint8Array): void {
    for (const { resource, scopes } of list(decode("TraceRequest", bytes).resources)) {
      const service = isJson(resource) ? attributesOf(resource.attributes)["service.name"] : undefined;
      for (const span of list(scopes).flatMap((scope) => list(scope.spans))) {
        this.spans.push({
          service,
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          parentSpanId: hex(span.parentSpanId),
          traceState: String(span.traceState ?? ""),
          name: String(span.name),
          kind: span.kind === 2 ? "server" : span.kind === 3 ? "client" : "other",
          startMs: Number(span.start) / 1e6,
          endMs: Number(span.end) / 1e6,
          attributes: attributesOf(span.attributes),
          status: isJson(span.status) ? Number(span.status.code ?? 0) : 0,
        });
      }
    }
  }

  takeMetrics(bytes: Uint8Array): void {
    this.metrics = list(decode("MetricsRequest", bytes).resources).flatMap(({ resource, scopes }) => {
      const service = isJson(resource) ? attributesOf(resource.attributes)["service.name"] : undefined;
      return list(scopes)
        .flatMap((scope) => list(scope.metrics))
        .map((metric): ReceivedMetric => {
          const type = isJson(metric.histogram) ? "histogram" : isJson(metric.sum) ? "sum" : "gauge";
          const data = metric[type];
          return {
            service,
            name: String(metric.name),
            unit: String(metric.unit),
            type,
            monotonic: isJson(data) && data.monotonic === true,
            points: list(isJson(data) ? data.points : undefined).map((point) => ({
              attributes: attributesOf(point.attributes),
              value: Number(point.double ?? point.integer ?? point.sum ?? 0),
              count: Number(point.count ?? 0),
              buckets: Array.isArray(point.buckets) ? point.buckets : [],
              bounds: Array.isArray(point.bounds) ? point.bounds : [],
            })),
          };
        });
    });
    this.metricExports++;
  }

  /** Resolves with the spans once there are that many which fit. */
  async waitFor(count: number, fits: (span: ReceivedSpan) => boolean): Promise<readonly ReceivedSpan[]> {
    const find = (): ReceivedSpan[] => this.spans.filter(fits);
    await until(() => find().length >= count, `${count} spans`, 15_000).catch((error: unknown) => {
      throw new Error(`there are ${JSON.stringify(find(), undefined, 1)}`, { cause: error });
    });
    return find();
  }
}

const raw = (bytes: Buffer): Buffer => bytes;
const method = (path: string) => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: raw,
  requestDeserialize: raw,
  responseSerialize: raw,
  responseDeserialize: raw,
});

/** Listens for gRPC; `url` is for the config. */
export async function startGrpcCollector(scope: Scope): Promise<{ url: string; collector: Collector }> {
  const collector = new Collector();
  const server = new Server();
  const handler =
    (take: (bytes: Buffer) => void) =>
    (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void => {
      take(call.request);
      answer(null, Buffer.alloc(0));
    };
  const traces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  const metrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
  server.addService({ export: method(traces) }, { export: handler((bytes) => collector.takeTraces(bytes)) });
  server.addService(
    { export: method(metrics) },
    { export: handler((bytes) => collector.takeMetrics(bytes)) },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  scope.after(async () => server.forceShutdown());
  return { url: `http://127.0.0.1:${port}`, collector };
}

/** Listens for http/protobuf. */
export async function startHttpCollector(scope: Scope): Promise<{ url: string; collector: Collector }> {
  const collector = new Collector();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const bytes = Buffer.concat(chunks);
      if (request.url === "/v1/traces") collector.takeTraces(bytes);
      else if (request.url === "/v1/metrics") collector.takeMetrics(bytes);
      else response.statusCode = 404;
      response.setHeader("content-type", "application/x-protobuf").end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.after(async () => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, collector };
}
