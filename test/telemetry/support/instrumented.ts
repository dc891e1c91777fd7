// Programs with OpenTelemetry's own instrumentation of grpc-js, as users have them: `service` serves the behavior
// service, `client HOST:PORT` calls it once in each kind of streaming. Spans go to OTEL_EXPORTER_OTLP_ENDPOINT.
import { createRequire } from "node:module";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { GrpcInstrumentation } from "@opentelemetry/instrumentation-grpc";
import { NodeSDK } from "@opentelemetry/sdk-node";

const sdk = new NodeSDK({
  autoDetectResources: false,
  serviceName: process.env.OTEL_SERVICE_NAME ?? "unnamed",
  instrumentations: [new GrpcInstrumentation()],
  traceExporter: new OTLPTraceExporter(),
});
sdk.start();
// The instrumentation sees what is required, before it is imported.
createRequire(import.meta.url)("@grpc/grpc-js");

const [, , role, address = ""] = process.argv;

if (role === "service") {
  const { serveBehavior } = await import("../../e2e/support/service.js");
  const endings: (() => Promise<void>)[] = [];
  const running = await serveBehavior({ after: (ending) => endings.push(ending) });
  process.once("SIGTERM", async () => {
    for (const ending of endings) await ending();
    await sdk.shutdown();
    process.exit(0);
  });
  console.log(`listening on ${running.address}`);
} else {
  const { behaviorClient, callServerStream, callUnary } = await import("../../e2e/support/grpc.js");
  const endings: (() => Promise<void>)[] = [];
  const client = behaviorClient({ after: (ending) => endings.push(ending) }, address);
  const unary = await callUnary(client, { payload: Buffer.from("x") });
  const streamed = await callServerStream(client, { behavior: { responseCount: 3 } });
  console.log(`answered ${unary.code} ${streamed.code} ${streamed.messages.length}`);
  for (const ending of endings) await ending();
  await sdk.shutdown();
}
