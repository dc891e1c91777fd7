// The hub's metrics in the form of OpenTelemetry's SDK: from the same families as the Prometheus text.
import type { MetricData, MetricProducer, ScopeMetrics } from "@opentelemetry/sdk-metrics";
import type { Family, MetricSource } from "./family.js";

type Sdk = typeof import("@opentelemetry/sdk-metrics");
type Resource = Awaited<ReturnType<MetricProducer["collect"]>>["resourceMetrics"]["resource"];
type HrTime = [number, number];

/** Cumulative since it was made. `sdk` is a parameter, so that this file loads nothing. */
export function producerOf(
  sdk: Sdk,
  resource: Resource,
  scope: string,
  source: MetricSource,
): MetricProducer {
  const started = now();
  return {
    collect: async () => {
      const ended = now();
      const metrics = source()
        .filter(({ points }) => points.length > 0)
        .map((family) => metricData(sdk, family, started, ended));
      const scopeMetrics: ScopeMetrics[] = [{ scope: { name: scope }, metrics }];
      return { resourceMetrics: { resource, scopeMetrics }, errors: [] };
    },
  };
}

function metricData(sdk: Sdk, family: Family, startTime: HrTime, endTime: HrTime): MetricData {
  const { name, unit, help: description } = family;
  // 1: api.ValueType.DOUBLE, of which only the type is at hand here.
  const descriptor = { name, unit, description, valueType: 1 };
  const aggregationTemporality = sdk.AggregationTemporality.CUMULATIVE;
  const common = { descriptor, aggregationTemporality };
  switch (family.type) {
    case "histogram":
      return {
        ...common,
        dataPointType: sdk.DataPointType.HISTOGRAM,
        dataPoints: family.points.map(({ labels, value: { buckets, sum, count } }) => ({
          startTime,
          endTime,
          attributes: { ...labels },
          value: { buckets: { boundaries: [...family.bounds], counts: [...buckets] }, sum, count },
        })),
      };
    case "counter":
      return {
        ...common,
        dataPointType: sdk.DataPointType.SUM,
        isMonotonic: true,
        dataPoints: family.points.map(({ labels: attributes, value }) => ({
          startTime,
          endTime,
          attributes: { ...attributes },
          value,
        })),
      };
    case "gauge":
      return {
        ...common,
        dataPointType: sdk.DataPointType.GAUGE,
        dataPoints: family.points.map(({ labels: attributes, value }) => ({
          startTime,
          endTime,
          attributes: { ...attributes },
          value,
        })),
      };
  }
}

function now(): HrTime {
  const ms = Date.now();
  return [Math.floor(ms / 1000), (ms % 1000) * 1e6];
}
