// Metric families become text that Prometheus takes, whatever stands in names and labels.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BlockWatch } from "#src/telemetry/metrics/block-watch.js";
import { Counters } from "#src/telemetry/metrics/counters.js";
import type { Family } from "#src/telemetry/metrics/family.js";
import { ProcessMetrics } from "#src/telemetry/metrics/process-metrics.js";
import { prometheusText } from "#src/telemetry/metrics/prometheus.js";
import { readPrometheus, sampleValue } from "./support/prometheus.js";

test("a counter, a gauge and a histogram, to the letter", () => {
  const families: Family[] = [
    {
      type: "counter",
      name: "a.b",
      unit: "1",
      help: "Back\\slash\nline.",
      points: [{ labels: {}, value: 3 }],
    },
    {
      type: "gauge",
      name: "c.used",
      unit: "By",
      help: "h",
      points: [{ labels: { "x.y": 'q"\\\n' }, value: 1.5 }],
    },
    {
      type: "histogram",
      name: "d.time",
      unit: "s",
      help: "h",
      bounds: [0.1, 1],
      points: [{ labels: { m: "a" }, value: { buckets: [1, 0, 2], sum: 9.5, count: 3 } }],
    },
  ];
  assert.equal(
    prometheusText(families),
    `# HELP a_b_total Back\\\\slash\\nline.
# TYPE a_b_total counter
a_b_total 3
# HELP c_used_bytes h
# TYPE c_used_bytes gauge
c_used_bytes{x_y="q\\"\\\\\\n"} 1.5
# HELP d_time_seconds h
# TYPE d_time_seconds histogram
d_time_seconds_bucket{m="a",le="0.1"} 1
d_time_seconds_bucket{m="a",le="1"} 1
d_time_seconds_bucket{m="a",le="+Inf"} 3
d_time_seconds_sum{m="a"} 9.5
d_time_seconds_count{m="a"} 3
`,
  );
});

test("any label value and number comes back unchanged", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string(), fc.double({ noNaN: true }))), (pairs) => {
      const points = [...new Map(pairs)].map(([label, value]) => ({ labels: { "l.l": label }, value }));
      const text = prometheusText([{ type: "gauge", name: "g.g", unit: "1", help: "h", points }]);
      const samples = readPrometheus(text).get("g_g")?.samples ?? [];
      assert.deepEqual(
        samples.map(({ labels, value }) => [labels.l_l, value === 0 ? 0 : value]),
        points.map(({ labels, value }) => [labels["l.l"], value === 0 ? 0 : value]),
      );
    }),
  );
});

test("counters are bounded in series, refuse to go down, and are the same for the same labels", () => {
  const counters = new Counters(4);
  counters.counter("q.refusals", "h", { rule: "a", mode: "x" }).add();
  counters.counter("q.refusals", "h", { mode: "x", rule: "a" }).add(2);
  counters.counter("q.refusals", "h", { rule: "a", mode: "x" }).add(-5);
  for (let i = 0; i < 100; i++) counters.counter("q.refusals", "h", { rule: `r${i}`, mode: "x" }).add();
  const read = readPrometheus(prometheusText(counters.families()));
  assert.equal(read.get("q_refusals_total")?.samples.length, 4);
  assert.equal(sampleValue(read, "q_refusals_total", { rule: "a" }), 3);
  assert.equal(sampleValue(read, "q_refusals_total", { rule: "_OTHER" }), 98);
  for (const name of ["q", "Q.r", "q.r-s", "q..r", ""])
    assert.throws(() => counters.counter(name, "h"), name);
});

test("has the process's own metrics", (t) => {
  const process = new ProcessMetrics();
  t.after(() => process.close());
  const read = readPrometheus(prometheusText(process.families()));
  assert.ok(sampleValue(read, "process_cpu_time_seconds_total") > 0);
  assert.ok(sampleValue(read, "process_memory_usage_bytes") > 1e6);
  assert.ok(sampleValue(read, "nodejs_eventloop_delay_p99_seconds") >= 0);
  assert.ok(sampleValue(read, "linchpin_eventloop_block_max_seconds", { linchpin_window: "process" }) >= 0);
});

test("has the longest block of the event loop, recent and overall", async (t) => {
  const watch = new BlockWatch();
  t.after(() => watch.close());
  /** Whole, however late the timers are: a block between two ticks. */
  const ticks = () => new Promise((resolve) => setTimeout(resolve, 50));
  await ticks();
  for (const from = performance.now(); performance.now() - from < 120; );
  await ticks();
  const { recent, ever } = watch;
  assert.ok(recent >= 0.12, `${recent} s`);
  assert.equal(ever, recent);
  watch.turn();
  assert.ok(watch.recent >= recent, "the window before counts too");
  watch.turn();
  assert.ok(watch.ever >= recent);
});
